"""Files: written whole or not at all, and read as data that anybody may have written."""
