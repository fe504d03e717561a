"""Making the segments of a film: what they are made with, on this machine or elsewhere."""
