"""The boxes of a JPEG 2000 file (ISO/IEC 15444-1, annex I): its colour profile, and how deep its samples are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from edge_sr.video.boxes import boxes, boxes_in

CODESTREAM, SIZE_MARKER = b"\xff\x4f", b"\xff\x51"
LARGEST_PROFILE = 64 << 20


def bits_of(path: Path) -> int:
    """Bits of the first component, 8 where nothing is said."""
    with path.open("rb") as file:
        for kind, _ in _boxes_of(file):
            if kind == b"jp2c":
                head = file.read(256)
                size = head.find(SIZE_MARKER)
                return (head[size + 40] & 0x7F) + 1 if 0 <= size < len(head) - 40 else 8
    return 8


def profile_of(path: Path) -> bytes | None:
    with path.open("rb") as file:
        header = next((length for kind, length in _boxes_of(file) if kind == b"jp2h"), 0)
        body = file.read(header) if 0 < header <= LARGEST_PROFILE else b""
    # A method of 2 or 3 is an ICC profile.
    profiles = (entry[3:] for kind, entry in boxes(body) if kind == b"colr" and entry[:1] in (b"\2", b"\3"))
    return next(profiles, None)


def _boxes_of(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each box, the file standing at its content; a bare codestream counts as the box of one."""
    if file.read(2) != CODESTREAM:
        yield from boxes_in(file)
        return
    file.seek(0)
    yield b"jp2c", 0
