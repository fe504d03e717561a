"""What a Photoshop file says beside its layers, as Adobe's description of the format numbers it."""

from __future__ import annotations

import struct
from pathlib import Path

SIGNATURE = b"8BPS"
RESOLUTION, PROFILE, EXIF, XMP = 1005, 1039, 1058, 1060
LARGEST = 64 << 20


def is_psd(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == SIGNATURE


def read_resources(path: Path) -> dict[int, bytes]:
    """Resources by their numbers, as far as they are whole; none of a file that is no PSD or PSB."""
    with path.open("rb") as file:
        head = file.read(30)
        if head[:4] != SIGNATURE or len(head) < 30:
            return {}
        file.seek(struct.unpack_from(">I", head, 26)[0], 1)
        length = int.from_bytes(file.read(4), "big")
        block = file.read(length) if length <= LARGEST else b""
    found: dict[int, bytes] = {}
    place = 0
    while block[place : place + 4] == b"8BIM" and place + 7 <= len(block):
        # Its name is one byte of length and as many letters, and takes an even number of bytes, as the data do.
        at = place + 6 + (block[place + 6] + 2) // 2 * 2
        size = int.from_bytes(block[at : at + 4], "big")
        found[struct.unpack_from(">H", block, place + 4)[0]] = block[at + 4 : at + 4 + size]
        place = at + 4 + size + size % 2
    return found
