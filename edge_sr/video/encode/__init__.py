"""Encoders, containers, and a film written in segments."""
