"""Runs that read a pipe, or write their frames to one."""
