"""The graphs that are quantised, and the Q/DQ nodes in them."""
