"""Clocks, deadlines and the queue that drops the oldest."""
