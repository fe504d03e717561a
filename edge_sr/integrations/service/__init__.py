"""``edge-sr serve``: pictures and films upscaled over HTTP."""
