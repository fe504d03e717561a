"""What this computer has: processor, cores, memory, GPU."""
