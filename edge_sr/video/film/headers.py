"""The part of an MP4, MOV or Matroska file that describes its tracks: some of it FFmpeg or PyAV do not hand on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from edge_sr.video.film.matroska import EBML, HEADER

MOST = 64 << 20


def header_of(file: BinaryIO) -> bytes:
    """From Matroska's first byte on, else what is in the ``moov`` box; empty for other files."""
    if (mark := file.read(len(EBML))) == EBML:
        return mark + file.read(HEADER)
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    while True:
        start = file.tell()
        size, kind = int.from_bytes(file.read(4), "big"), file.read(4)
        if size == 1:
            size = int.from_bytes(file.read(8), "big")
        if kind == b"moov":
            return file.read(min(size or MOST, MOST))
        if size < 8 or start + size > end:
            return b""
        file.seek(start + size)


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each box's kind and content; one that is cut short goes to the end."""
    place = 0
    while place + 8 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        if size < 8:
            return
        yield data[place + 4 : place + 8], data[place + 8 : place + size]
        place += size
