"""The boxes of a JPEG 2000 file (ISO/IEC 15444-1, annex I): its colour profile, and how deep its samples are."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from edge_sr.video.image.files.heif_boxes import boxes

CODESTREAM, SIZE_MARKER = b"\xff\x4f", b"\xff\x51"
LARGEST_PROFILE = 64 << 20


def bits_of(path: Path) -> int:
    """Bits of the first component, 8 where nothing is said."""
    with path.open("rb") as file:
        for kind, _ in boxes_of(file):
            if kind == b"jp2c":
                head = file.read(256)
                size = head.find(SIZE_MARKER)
                return (head[size + 40] & 0x7F) + 1 if 0 <= size < len(head) - 40 else 8
    return 8


def profile_of(path: Path) -> bytes | None:
    with path.open("rb") as file:
        header = next((length for kind, length in boxes_of(file) if kind == b"jp2h"), 0)
        body = file.read(header) if 0 < header <= LARGEST_PROFILE else b""
    # A method of 2 or 3 is an ICC profile.
    profiles = (entry[3:] for kind, entry in boxes(body) if kind == b"colr" and entry[:1] in (b"\2", b"\3"))
    return next(profiles, None)


def boxes_of(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each box, the file standing at its content; a bare codestream counts as the box of one."""
    start = file.read(2)
    file.seek(0)
    if start == CODESTREAM:
        yield b"jp2c", 0
        return
    place = 0
    while len(head := file.read(16)) >= 8:
        length, kind = struct.unpack_from(">I4s", head)
        wide = length == 1 and len(head) == 16
        length = struct.unpack_from(">Q", head, 8)[0] if wide else length
        content = 16 if wide else 8
        file.seek(place + content)
        yield kind, length - content
        if length < content:
            return
        place += length
        file.seek(place)
