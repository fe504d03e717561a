"""Implicit networks cut into an encoder and a decoder graph."""
