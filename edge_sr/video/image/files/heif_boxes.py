"""The tables of a HEIF file's ``meta`` box, as they stand (ISO/IEC 14496-12 and 23008-12)."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from pathlib import Path

from edge_sr.video.boxes import boxes, boxes_in
from edge_sr.video.frames.colour import PRIMARIES, TRANSFERS, UNSPECIFIED

LARGEST_HEADER = 64 << 20
# A file has a handful.
MOST_BOXES = 1000


def meta_box(path: Path) -> bytes:
    with path.open("rb") as file:
        for kind, length in boxes_in(file):
            if kind == b"meta":
                if not 0 < length < LARGEST_HEADER:
                    raise ValueError(f"a meta box of {length} bytes")
                return file.read(length)
    raise ValueError("no meta box")


def has_box(path: Path, wanted: bytes) -> bool:
    """Whether there is such a box beside ``meta``."""
    with path.open("rb") as file:
        return any(kind == wanted for kind, _ in itertools.islice(boxes_in(file), MOST_BOXES))


def item_entries(body: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Number and kind of each item, and whether it is hidden."""
    for _, entry in boxes(body[6 if body[0] == 0 else 8 :]):
        wide = entry[0] >= 3
        number = struct.unpack_from(">I" if wide else ">H", entry, 4)[0]
        yield number, entry[10 if wide else 8 :][:4], bool(entry[3] & 1)


def places(body: bytes) -> Iterator[tuple[int, list[tuple[int, int, int]]]]:
    """For each item its parts: how they are addressed, where they begin and how long they are."""
    version, sizes = body[0], body[4:6]
    offset_size, length_size, base_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
    index_size = sizes[1] & 15 if version else 0
    reader = _Reader(body, 6)
    for _ in range(reader.number(2 if version < 2 else 4)):
        item = reader.number(2 if version < 2 else 4)
        method = reader.number(2) & 15 if version else 0
        reader.number(2)
        base = reader.number(base_size)
        parts = []
        for _ in range(reader.number(2)):
            reader.number(index_size)
            start = base + reader.number(offset_size)
            parts.append((method, start, reader.number(length_size)))
        yield item, parts


class _Reader:
    """Big-endian numbers of any number of bytes, one after another."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place

    def number(self, size: int) -> int:
        value = self._data[self._place : self._place + size]
        if len(value) < size:
            raise ValueError("a table ends early")
        self._place += size
        return int.from_bytes(value, "big")


def references(body: bytes) -> Iterator[tuple[bytes, int, tuple[int, ...]]]:
    size = 4 if body[:1] == b"\1" else 2
    for kind, entry in boxes(body[4:]):
        reader = _Reader(entry, 0)
        source = reader.number(size)
        yield kind, source, tuple(reader.number(size) for _ in range(reader.number(2)))


def properties(body: bytes) -> dict[int, list[tuple[bytes, bytes]]]:
    """The properties of each item, in the order that they apply."""
    parts = list(boxes(body))
    shared = [entry for kind, content in parts if kind == b"ipco" for entry in boxes(content)]
    found: dict[int, list[tuple[bytes, bytes]]] = {}
    for table in (content for kind, content in parts if kind == b"ipma"):
        wide = table[3] & 1
        reader = _Reader(table, 4)
        for _ in range(reader.number(4)):
            item = reader.number(2 if table[0] < 1 else 4)
            for _ in range(reader.number(1)):
                index = reader.number(2) & 0x7FFF if wide else reader.number(1) & 0x7F
                if index:
                    found.setdefault(item, []).append(shared[index - 1])
    return found


def nclx(body: bytes) -> tuple[int, int, int, int]:
    """A number of primaries or transfer that ITU-T H.273 does not define says nothing."""
    primaries, transfer, matrix = struct.unpack_from(">HHH", body, 4)
    primaries = primaries if primaries in PRIMARIES else UNSPECIFIED
    return primaries, transfer if transfer in TRANSFERS else UNSPECIFIED, matrix, body[10] >> 7
