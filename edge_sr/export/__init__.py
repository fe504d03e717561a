"""From a network in PyTorch to a bundle of encoder and decoder graphs."""
