"""Cameras and streams at a deadline, and the page that shows them."""
