"""Frames in a GPU's memory, as its video decoder leaves them there and its video encoder takes them."""
