"""Segments and the film's other tracks to one file: copied, or encoded again where the container asks for it."""
