"""Inputs that are brought into a form that the rest takes: pipes, TIFFs of several pages, animated WebP and AVIF."""
