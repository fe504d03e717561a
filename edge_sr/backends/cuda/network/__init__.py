"""A network as the kernels take it: its form, and its weights in the order that they are read in."""
