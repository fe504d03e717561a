"""What stands in pictures' files, byte by byte."""
