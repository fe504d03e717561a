"""Edge SR: arbitrary-scale super-resolution, from a checkpoint to a device."""
