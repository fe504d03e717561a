"""``edge-sr upscale`` as a library: a request in, a finished file and a report out."""
