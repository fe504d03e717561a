"""Graphs to TensorRT engines: target profiles, builders and the engine cache."""
