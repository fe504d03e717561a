"""Which layers to quantise within the budget."""
