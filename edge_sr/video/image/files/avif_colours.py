"""The colour description of an AVIF that Pillow has written, which always says sRGB."""

from __future__ import annotations

import struct

NCLX = b"colrnclx"


def with_colours(avif: bytes, primaries: int, transfer: int) -> bytes:
    """The file with these numbers of ITU-T H.273; its matrix stays, and readers heed it before the coded picture's own.

    Raises ``ValueError`` for a file without a colour description.
    """
    place = avif.index(NCLX) + len(NCLX)
    return avif[:place] + struct.pack(">HH", primaries, transfer) + avif[place + 4 :]
