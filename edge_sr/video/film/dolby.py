"""Dolby Vision's description in a file's headers, which FFmpeg knows and PyAV does not hand on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

# Boxes and Matroska mappings that hold the description; profile 5 has no base layer that others can show.
_NAMES = (b"dvcC", b"dvvC", b"dvwC")
WITHOUT_BASE = 5
_MOST_HEADER = 64 << 20
_MATROSKA, _MATROSKA_HEADER = b"\x1a\x45\xdf\xa3", 1 << 20
_MATROSKA_DATA = b"\x41\xed"


def dolby_profile(name: str) -> int | None:
    """The profile that an MP4, MOV or Matroska file says its picture has; None where it says nothing."""
    path = Path(name)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        header = _header(file)
    for kind in _NAMES:
        at = header.find(kind)
        if at >= 0:
            return _profile(header[at + len(kind) : at + len(kind) + 48])
    return None


def _header(file: BinaryIO) -> bytes:
    """The part of the file that describes its tracks."""
    if file.read(4) == _MATROSKA:
        return file.read(_MATROSKA_HEADER)
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    while True:
        start = file.tell()
        size, kind = int.from_bytes(file.read(4), "big"), file.read(4)
        if size == 1:
            size = int.from_bytes(file.read(8), "big")
        if kind == b"moov":
            return file.read(min(size or _MOST_HEADER, _MOST_HEADER))
        if size < 8 or start + size > end:
            return b""
        file.seek(start + size)


def _profile(data: bytes) -> int | None:
    """From the record: two bytes of version, then seven bits of profile (Dolby Vision streams within ISO BMFF)."""
    inner = data.find(_MATROSKA_DATA, 0, 8)
    if inner >= 0:
        # The element's size takes one byte: the record is 24 bytes long.
        data = data[inner + len(_MATROSKA_DATA) + 1 :]
    return data[2] >> 1 if len(data) > 2 else None
