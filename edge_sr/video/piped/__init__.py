"""Frames through pipes: YUV4MPEG2 (y4m) and raw video from standard input and to standard output."""
