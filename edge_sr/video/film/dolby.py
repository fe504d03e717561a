"""Dolby Vision's description in a file's headers, which FFmpeg knows and PyAV does not hand on."""

from __future__ import annotations

from pathlib import Path

from edge_sr.video.film.headers import header_of

# Boxes and Matroska mappings that hold the description; profile 5 has no base layer that others can show.
_NAMES = (b"dvcC", b"dvvC", b"dvwC")
WITHOUT_BASE = 5
_MATROSKA_DATA = b"\x41\xed"


def dolby_profile(name: str) -> int | None:
    """The profile that an MP4, MOV or Matroska file says its picture has; None where it says nothing."""
    path = Path(name)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        header = header_of(file)
    for kind in _NAMES:
        at = header.find(kind)
        if at >= 0:
            return _profile(header[at + len(kind) : at + len(kind) + 48])
    return None


def _profile(data: bytes) -> int | None:
    """From the record: two bytes of version, then seven bits of profile (Dolby Vision streams within ISO BMFF)."""
    inner = data.find(_MATROSKA_DATA, 0, 8)
    if inner >= 0:
        # The element's size takes one byte: the record is 24 bytes long.
        data = data[inner + len(_MATROSKA_DATA) + 1 :]
    return data[2] >> 1 if len(data) > 2 else None
