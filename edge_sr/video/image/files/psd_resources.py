"""What a Photoshop file says beside its layers, as Adobe's description of the format numbers it.

JPEG and TIFF files hold a block of such resources too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

SIGNATURE = b"8BPS"
RESOLUTION, PROFILE, EXIF, XMP = 1005, 1039, 1058, 1060
# Small pictures of the file as it was saved, of Photoshop 4.0 and of later ones.
THUMBNAILS = frozenset({1033, 1036})
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
    return {number: data for number, data, _, _ in _resources(block)}


def without_thumbnails(block: bytes) -> bytes:
    """A block of resources without the pictures that show the file as it was."""
    parts, at = list[bytes](), 0
    for number, _, begin, end in _resources(block):
        if number in THUMBNAILS:
            parts.append(block[at:begin])
            at = end
    return b"".join([*parts, block[at:]])


def _resources(block: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """Each one's number and data, and where it begins and ends."""
    place = 0
    while block[place : place + 4] == b"8BIM" and place + 7 <= len(block):
        # Its name is one byte of length and as many letters, and takes an even number of bytes, as the data do.
        at = place + 6 + (block[place + 6] + 2) // 2 * 2
        size = int.from_bytes(block[at : at + 4], "big")
        end = at + 4 + size + size % 2
        number = struct.unpack_from(">H", block, place + 4)[0]
        yield number, block[at + 4 : at + 4 + size], place, end
        place = end
