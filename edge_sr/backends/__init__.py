"""Running a bundle's graphs: runners, tiles, phases, strips, and the ``Upscaler``."""
