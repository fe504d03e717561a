"""What a network is trained to do with a batch."""
