"""The GPU by the project's own kernels: no engine is built, and one set of kernels serves every size."""
