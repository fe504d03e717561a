"""The ``edge-sr`` command; one file a subcommand."""
