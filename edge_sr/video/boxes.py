"""The boxes that MP4, MOV, HEIF, JPEG 2000 and JPEG XL files are made of (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each box's kind and content; one that is cut short goes to the end."""
    place = 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if length < 8:
            return
        yield kind, data[place + 8 : place + length]
        place += length


def boxes_in(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Each box's kind and the length of its content, at which ``file`` stands: below 0 of one that goes to the end."""
    end, place = file.seek(0, os.SEEK_END), 0
    file.seek(place)
    while len(head := file.read(16)) >= 8:
        length, kind = struct.unpack_from(">I4s", head)
        wide = length == 1 and len(head) == 16
        length = struct.unpack_from(">Q", head, 8)[0] if wide else length
        content = 16 if wide else 8
        file.seek(place + content)
        yield kind, length - content
        if not content <= length <= end - place:
            return
        place += length
        file.seek(place)
