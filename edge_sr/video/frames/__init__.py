"""What a decoded frame has beside its colours: where chroma lies, and how opaque it is."""
