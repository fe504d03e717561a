"""Training: pictures to crops, crops to batches, batches to a checkpoint."""
