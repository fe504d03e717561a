"""TensorRT's Python interface: the one place that imports it."""
