"""Networks of one graph, from picture to picture, around any backend."""
