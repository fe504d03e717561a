"""One run: what it is asked, what it is given, who is told of it, and what it reports."""
