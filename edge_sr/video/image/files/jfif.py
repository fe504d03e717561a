"""The shape of a JPEG's pixels, in the density of its JFIF header (ITU-T T.871, 10.1)."""

from __future__ import annotations

import struct

START, LARGEST = b"\xff\xd8\xff\xe0\0\x10JFIF\0", 65_535
UNIT = len(START) + 2  # behind the version


def with_aspect(jpeg: bytes, aspect: tuple[int, int]) -> bytes:
    """The file with so many pixels across and down for the same length, ``LARGEST`` at most, whatever that length is.

    A file without such a header stays as it is.
    """
    if not jpeg.startswith(START):
        return jpeg
    return jpeg[:UNIT] + struct.pack(">BHH", 0, *aspect) + jpeg[UNIT + 5 :]
