"""What every backend on a GPU shares: its streams, its memory, and the ring of frames under way."""
