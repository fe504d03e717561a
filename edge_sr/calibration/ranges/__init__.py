"""Ranges of activations, and the INT8 levels that cover them."""
