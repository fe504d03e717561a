"""Lossless JPEGs that FFmpeg, which alone reads them, makes other pictures of (ITU-T T.81, annex H, and T.87)."""

from __future__ import annotations

import struct
from pathlib import Path

from edge_sr.errors import MediaError

START, LOSSLESS, LS, SCAN = b"\xff\xd8", 0xC3, 0xF7, 0xDA
# How T.87 numbers channels that follow each other line by line.
BY_LINES = 1
MOST_SEGMENTS = 1000


def refuse_misread_jpeg(path: Path) -> None:
    """``MediaError`` for a lossless JPEG of 16 bits or of deep colours, and for most JPEG-LS of more than grey."""
    frame, scan = _headers(path)
    if frame is None:
        return
    kind, bits, channels = frame
    by_lines = channels == 1 or scan[-2:-1] == bytes([BY_LINES])
    right = (bits < 16 and channels == 1) if kind == LOSSLESS else (bits in (8, 16) and by_lines)
    if not right:
        name = "lossless JPEG" if kind == LOSSLESS else "JPEG-LS"
        raise MediaError(
            f"{path} is a {name} of {bits} bits in {channels} channels, which is not read: save it as TIFF or PNG"
        )


def _headers(path: Path) -> tuple[tuple[int, int, int] | None, bytes]:
    """Marker, bits and channels of a lossless frame, None of another, and the header of its first scan."""
    frame = None
    with path.open("rb") as file:
        if file.read(2) != START:
            return None, b""
        for _ in range(MOST_SEGMENTS):
            head = file.read(4)
            if len(head) < 4 or head[0] != 0xFF:
                break
            data = file.read(max(0, struct.unpack_from(">H", head, 2)[0] - 2))
            if head[1] in (LOSSLESS, LS) and len(data) > 5:
                frame = head[1], data[0], data[5]
            if head[1] == SCAN:
                return frame, data
    return None, b""
