"""Films as sources of frames, and what they carry beside the picture."""
