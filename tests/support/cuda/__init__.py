"""A CUDA driver in host memory that checks how it is used: order, sizes, streams, lifetimes."""
