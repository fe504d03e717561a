"""A PNG file's chunks as they stand: those that Pillow does not hand on, and how many rows are really there."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What the samples mean, with its length: kept as it is, for the pixels' coding is kept.
COLOUR = {b"cHRM": 32, b"cICP": 4, b"gAMA": 4, b"sRGB": 1}
# An HDR picture's mastering display and light levels, which Pillow does not write.
HDR = {b"mDCV": 24, b"cLLI": 8}
OF_LENGTH = COLOUR | HDR
# How the old file keeps its pixels and what Pillow hands on: said anew, or without meaning, in the new one.
STRUCTURAL = (
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"hIST", b"sBIT", b"iDOT", b"acTL", b"fcTL", b"fdAT"),
    *(b"iCCP", b"eXIf", b"pHYs"),
)
ASPECT = b"pHYs"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
LONGEST_KEY = 79
LARGEST_KEPT = 1 << 20
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Adam7: first column, first row, column step and row step of each pass.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def is_png(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == SIGNATURE


def kept_chunks(path: Path) -> dict[bytes, bytes]:
    """Colour chunks, HDR's and EXIF, wherever they stand in the file; none of the first two of another length."""
    with path.open("rb") as file:
        return {
            kind: file.read(length)
            for kind, length in chunks_in(file)
            if length == OF_LENGTH.get(kind) or (kind == b"eXIf" and length <= LARGEST_KEPT)
        }


def unkept_chunks(path: Path) -> list[str]:
    """Kinds of chunks that say what nobody here hands on; what has no letters for a name is damage."""
    with path.open("rb") as file:
        found = [(kind, length) for kind, length in chunks_in(file) if kind not in (*TEXTS, *STRUCTURAL)]
    kinds = (kind for kind, length in found if kind.isalpha() and length != OF_LENGTH.get(kind))
    return [kind.decode("ascii") for kind in dict.fromkeys(kinds)]


def repeated_texts(path: Path) -> list[str]:
    """Keys under which more than one text stands, of which Pillow hands on the last."""
    with path.open("rb") as file:
        keys = [
            file.read(min(length, LONGEST_KEY + 1)).split(b"\0")[0].decode("latin-1")
            for kind, length in chunks_in(file)
            if kind in TEXTS
        ]
    return [key for key in dict.fromkeys(keys) if keys.count(key) > 1]


def with_chunks(png: bytes, chunks: dict[bytes, bytes]) -> bytes:
    """A whole PNG with these chunks too, behind its header."""
    behind = len(SIGNATURE) + 25
    return png[:behind] + b"".join(chunk(*each) for each in chunks.items()) + png[behind:]


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk as it stands in a file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def rows_present(path: Path) -> tuple[int, int]:
    """How many rows of pixels the file's data make, and how many there should be; of interlaced ones, by size."""
    with path.open("rb") as file:
        chunks = chunks_in(file)
        kind, _ = next(chunks, (b"", 0))
        if kind != b"IHDR":
            return 0, 0
        width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", file.read(13))
        bits = depth * CHANNELS.get(colour, 1)
        expected = sum(_bytes(*size, bits) for size in _passes(width, height, bool(interlaced)))
        present = _inflated(file, chunks, expected)
    return (height if present >= expected else present * height // max(1, expected)), height


def _passes(width: int, height: int, interlaced: bool) -> Iterator[tuple[int, int]]:
    if not interlaced:
        yield width, height
        return
    for x, y, across, down in PASSES:
        yield max(0, -(-(width - x) // across)), max(0, -(-(height - y) // down))


def _bytes(width: int, height: int, bits: int) -> int:
    """Each row has one byte more, its filter."""
    return height * (1 + (width * bits + 7) // 8) if width else 0


def _inflated(file: BinaryIO, chunks: Iterator[tuple[bytes, int]], expected: int) -> int:
    """Bytes that the image data hold, no more than ``expected``; what is damaged ends them."""
    inflate, total = zlib.decompressobj(), 0
    for kind, length in chunks:
        if kind != b"IDAT" or total >= expected:
            continue
        try:
            data = file.read(length)
            while data and total < expected:
                total += len(inflate.decompress(data, 1 << 20))
                data = inflate.unconsumed_tail
        except zlib.error:
            return total
    return total


def chunks_in(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length of every chunk, the file standing at its data."""
    file.seek(0)
    if file.read(8) != SIGNATURE:
        return
    place = 8
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        yield kind, length
        place += 12 + length
        file.seek(place)
