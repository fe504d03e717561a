"""How fast a bundle runs, and how near the machine's peak."""
