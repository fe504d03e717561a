"""Live sources and sinks."""
