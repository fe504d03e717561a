"""The cluster and its nodes: reaching them, and telling which of them compute alike."""
