"""What the service works with, in threads: whose turn it is, the open networks, one upload at a time."""
