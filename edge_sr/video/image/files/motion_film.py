"""Whether a film lies behind a picture, as in motion photos whose XMP does not say so."""

from __future__ import annotations

import struct
from pathlib import Path

from edge_sr.video.image.files.heif_boxes import has_box

# Samsung's list of what it puts behind a JPEG, its length and mark at the file's very end; what each entry is.
SAMSUNG, ENTRY, FILM = b"SEFT", struct.Struct("<2xHII"), 0x0A30
LARGEST_LIST = 1 << 16


def has_motion_film(path: Path) -> bool:
    with path.open("rb") as file:
        begins = file.read(2)
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        length, mark = struct.unpack("<I4s", file.read(8).rjust(8, b"\0"))
        if mark == SAMSUNG and 12 <= length <= min(LARGEST_LIST, size - 8):
            file.seek(size - 8 - length)
            entries = file.read(length)[12:]
            whole = len(entries) // ENTRY.size * ENTRY.size
            return any(kind == FILM for kind, _, _ in ENTRY.iter_unpack(entries[:whole]))
    return begins == b"\0\0" and has_box(path, b"mpvd")
