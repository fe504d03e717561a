"""A decoded frame: colours and levels, chroma's place, opacity, orientation, and what is attached to it."""
