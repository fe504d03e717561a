"""The networks in PyTorch, in their papers' own form, and the import of checkpoints."""
