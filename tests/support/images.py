"""Picture files with what real ones have and Pillow does not write: PNG chunks, 16-bit samples, TIFF layouts."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edge_sr.video.image.formats import BY_NAME
from edge_sr.video.image.read import read_still
from edge_sr.video.image.write import write_still


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples: np.ndarray, *, before: bytes = b"", after: bytes = b"", rows: int | None = None) -> bytes:
    """A PNG of RGB or grey ``samples``, uint8 or uint16; of its ``rows`` only the first where given."""
    height, width, channels = samples.shape
    order = ">u2" if samples.dtype == np.uint16 else "u1"
    lines = b"".join(b"\0" + row.astype(order).tobytes() for row in samples[:rows])
    header = struct.pack(">IIBBBBB", width, height, 8 * samples.itemsize, {1: 0, 3: 2}[channels], 0, 0, 0)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(lines)) + after
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def psd(
    samples: np.ndarray, resources: dict[int, bytes], *, packed: bool = False, large: bool = False
) -> bytes:
    """A Photoshop file of grey or RGB ``samples``, uint8 or uint16, with alpha or not, and what it says beside them.

    Its rows are ``packed`` as literal runs; a ``large`` one is a PSB.
    """
    height, width, channels = samples.shape
    mode, version = (3 if channels > 2 else 1), 1 + large
    head = b"8BPS" + struct.pack(">H6xHIIHH", version, channels, height, width, 8 * samples.itemsize, mode)
    block = b"".join(
        b"8BIM"
        + struct.pack(">H", number)
        + bytes(2)
        + struct.pack(">I", len(data))
        + data
        + bytes(len(data) % 2)
        for number, data in resources.items()
    )
    rows = samples.transpose(2, 0, 1).astype(samples.dtype.newbyteorder(">")).reshape(channels * height, -1)
    kept = [_literal(row.tobytes()) if packed else row.tobytes() for row in rows]
    counts = b"".join(struct.pack(">I" if large else ">H", len(row)) for row in kept) if packed else b""
    layers = bytes(8 if large else 4)
    said = bytes(4) + struct.pack(">I", len(block)) + block
    return head + said + layers + struct.pack(">H", packed) + counts + b"".join(kept)


def _literal(row: bytes) -> bytes:
    """PackBits without runs."""
    return b"".join(
        bytes([len(row[at : at + 128]) - 1]) + row[at : at + 128] for at in range(0, len(row), 128)
    )


def write_tiff(path: Path, samples: np.ndarray, tags: dict[int, Any], order: str = "<") -> None:
    """An uncompressed TIFF of one strip, or of tiles as ``tags`` 322 and 323 say; ``samples``: ``H x W x n``.

    With tag 284 of 2 the samples are ``n x H x W``.
    """
    planar = tags.get(284, 1) == 2
    channels, height, width = samples.shape if planar else (samples.shape[2], *samples.shape[:2])
    data = samples.astype(samples.dtype.newbyteorder(order))
    planes = list(data) if planar else [data]
    pieces = [piece for plane in planes for piece in _pieces(plane, tags)]
    entries: dict[int, tuple[str, tuple[int, ...]]] = {
        256: ("I", (width,)),
        257: ("I", (height,)),
        258: ("H", (8 * samples.itemsize,) * channels),
        259: ("H", (1,)),
        262: ("H", (2 if channels > 2 else 1,)),
        277: ("H", (channels,)),
    }
    where, size = (324, 325) if 322 in tags else (273, 279)
    entries[where], entries[size] = ("I", (0,) * len(pieces)), ("I", tuple(map(len, pieces)))
    if 322 not in tags:
        entries[278] = ("I", (height,))
    for tag, value in tags.items():
        entries[tag] = ("H", value if isinstance(value, tuple) else (value,))
    path.write_bytes(_tiff_file(entries, pieces, where, order))


def _pieces(plane: np.ndarray, tags: dict[int, Any]) -> list[bytes]:
    if 322 not in tags:
        return [plane.tobytes()]
    wide, high = tags[322], tags[323]
    padded = np.pad(
        plane, ((0, -len(plane) % high), (0, -plane.shape[1] % wide), *((0, 0),) * (plane.ndim - 2))
    )
    return [
        padded[y : y + high, x : x + wide].tobytes()
        for y in range(0, len(padded), high)
        for x in range(0, padded.shape[1], wide)
    ]


def _tiff_file(
    entries: dict[int, tuple[str, tuple[int, ...]]], pieces: list[bytes], where: int, order: str
) -> bytes:
    codes = {"H": 3, "I": 4}
    packed = {tag: struct.pack(f"{order}{len(v)}{kind}", *v) for tag, (kind, v) in entries.items()}
    spill_at = 8 + 2 + 12 * len(entries) + 4
    data_at = spill_at + sum(len(data) for data in packed.values() if len(data) > 4)
    starts = np.cumsum([data_at, *map(len, pieces[:-1])])
    packed[where] = struct.pack(f"{order}{len(pieces)}I", *map(int, starts))
    directory, spill = struct.pack(order + "H", len(entries)), b""
    for tag in sorted(entries):
        data = packed[tag]
        place = data.ljust(4, b"\0")
        if len(data) > 4:
            place = struct.pack(order + "I", spill_at + len(spill))
            spill += data
        directory += struct.pack(order + "HHI", tag, codes[entries[tag][0]], len(entries[tag][1])) + place
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "I", 8) + directory + bytes(4) + spill + b"".join(pieces)


def through(source: Path, kind: str) -> tuple[Any, list[str]]:
    """The picture read and written again as ``kind``, opened by Pillow, and what was named."""
    still = read_still(source)
    target = source.with_name(f"out{BY_NAME[kind].suffixes[0]}")
    lost = write_still(still, target, BY_NAME[kind])
    with Image.open(target) as image:
        image.load()
    return image, [*still.lost, *lost]
