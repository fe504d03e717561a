"""Several inputs in one run: what they come to, where each goes, and what became of it."""
