"""Training with the rounding of INT8."""
