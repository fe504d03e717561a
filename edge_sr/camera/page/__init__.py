"""The live page: its server, viewers and views."""
