"""Runs on many machines: a film's segments, sets of pictures and engines, each part a task on a Ray cluster."""
