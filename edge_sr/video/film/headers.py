"""The part of an MP4, MOV or Matroska file that describes its tracks: some of it FFmpeg or PyAV do not hand on."""

from __future__ import annotations

from pathlib import Path

from edge_sr.video.boxes import boxes_in
from edge_sr.video.film.matroska import EBML, HEADER

MOST = 64 << 20
# Boxes and Matroska mappings that hold Dolby Vision's description; profile 5 has no base layer that others can show.
_DOLBY = (b"dvcC", b"dvvC", b"dvwC")
WITHOUT_BASE = 5
_MATROSKA_DATA = b"\x41\xed"


def header_of(path: Path) -> bytes:
    """From Matroska's first byte on, else what is in the ``moov`` box; empty for other files."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        if (mark := file.read(len(EBML))) == EBML:
            return mark + file.read(HEADER)
        length = next((length for kind, length in boxes_in(file) if kind == b"moov"), 0)
        return file.read(length if 0 <= length < MOST else MOST)


def dolby_profile(path: Path) -> int | None:
    """The profile of Dolby Vision that the file says its picture has; None where it says nothing."""
    header = header_of(path)
    for kind in _DOLBY:
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
