"""Engines on disk: what identifies one, where it lies, and how it is found whole or not at all.

The builder (``edge_sr.engines``) writes here and the runner (``edge_sr.backends``) reads.
"""
