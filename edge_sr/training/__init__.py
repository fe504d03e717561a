"""Training of the project's own networks: data, loop and checkpoints."""
