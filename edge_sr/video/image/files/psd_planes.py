"""The whole picture of a Photoshop file (PSD, or PSB of version 2), which lies in planes behind its layers.

Each plane becomes a TIFF of one grey channel: both formats pack rows alike, so that Pillow reads them.
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from edge_sr.video.image.files.psd_resources import SIGNATURE
from edge_sr.video.image.files.tiff_pages import form_of
from edge_sr.video.image.files.tiff_planes import LONG, SHORT, Entries, with_directory
from edge_sr.video.image.files.tiff_tags import (
    BITS,
    COMPRESSION,
    EXTRA_SAMPLES,
    HEIGHT,
    PHOTOMETRIC,
    PLANAR,
    RGB,
    SAMPLES_PER_PIXEL,
    STRAIGHT,
    WIDTH,
)

# Grey, RGB and duotone, whose picture is the grey that it is printed from; by TIFF's numbers.
KINDS = {1: 1, 3: RGB, 8: 1}
# Compressions: none, and PackBits, by TIFF's numbers.
PACKINGS = {0: 1, 1: 32773}
HEAD = struct.Struct(">4sH6xHIIHH")


def composite_tags(path: Path) -> dict[int, Any]:
    """What a TIFF of that picture would say; empty for another file, and for a kind that is not read."""
    with path.open("rb") as file:
        head = file.read(HEAD.size)
        if len(head) < HEAD.size:
            return {}
        signature, version, channels, height, width, bits, mode = HEAD.unpack(head)
        if signature != SIGNATURE or version not in (1, 2) or mode not in KINDS or bits not in (8, 16):
            return {}
        packing = PACKINGS.get(_packing(file, version))
    colours = 3 if KINDS[mode] == RGB else 1
    if packing is None or channels < colours or min(width, height) < 1:
        return {}
    return {
        WIDTH: width,
        HEIGHT: height,
        BITS: (bits,) * channels,
        COMPRESSION: packing,
        PHOTOMETRIC: KINDS[mode],
        SAMPLES_PER_PIXEL: channels,
        PLANAR: 2,
        EXTRA_SAMPLES: (STRAIGHT,) * (channels - colours),
    }


def _packing(file: BinaryIO, version: int) -> int:
    """The picture's compression, the file standing behind it."""
    end = file.seek(0, os.SEEK_END)
    file.seek(HEAD.size)
    for section in range(3):  # a palette, resources, layers
        size = 8 if section == 2 and version == 2 else 4
        length = int.from_bytes(file.read(size), "big")
        file.seek(min(file.tell() + length, end))
    return int.from_bytes(file.read(2), "big")


def composite_planes(path: Path, tags: Any, count: int) -> list[io.BytesIO]:
    """The first so many planes; ``tags`` are those above. Raises ``ValueError`` where the file ends before them."""
    width, height, bits = tags[WIDTH], tags[HEIGHT], tags[BITS][0]
    # Room is taken for as many bytes as are asked for.
    most = path.stat().st_size
    with path.open("rb") as file:
        version = HEAD.unpack(file.read(HEAD.size))[1]
        _packing(file, version)
        if tags[COMPRESSION] == 1:
            rows = np.full((count, height), width * bits // 8)
        else:
            counts = file.read(min(most, tags[SAMPLES_PER_PIXEL] * height * 2 * version))
            rows = np.frombuffer(counts, f">u{2 * version}").reshape(-1, height).astype(int)
            if len(rows) < count:
                raise ValueError("it ends in its counts")
        data = [file.read(min(most, int(plane.sum()))) for plane in rows[:count]]
    return [
        _alone(width, bits, tags[COMPRESSION], lengths, plane)
        for lengths, plane in zip(rows, data, strict=False)
    ]


def _alone(width: int, bits: int, packing: int, lengths: Any, data: bytes) -> io.BytesIO:
    """One plane, each row a strip."""
    head = b"MM\0*" + bytes(4)
    form = form_of(head)
    if form is None:
        raise ValueError("it is no TIFF")
    places = len(head) + np.cumsum(lengths) - lengths
    tags = {BITS: bits, COMPRESSION: packing, PHOTOMETRIC: 1, SAMPLES_PER_PIXEL: 1, 278: 1}
    entries: Entries = {tag: (SHORT, (value,)) for tag, value in tags.items()}
    entries |= {WIDTH: (LONG, (width,)), HEIGHT: (LONG, (len(lengths),))}
    entries |= {273: (LONG, tuple(places.tolist())), 279: (LONG, tuple(lengths.tolist()))}
    return io.BytesIO(with_directory(head + data, form, entries))
