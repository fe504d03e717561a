"""A film on a cluster: cut into ranges of whole pieces, each made by a task, and joined as ever."""
