"""The project's own CPU library."""
