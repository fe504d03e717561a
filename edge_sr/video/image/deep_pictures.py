"""Writers of 16-bit PNG and TIFF, which Pillow does not write in colour."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

# PNG colour types by number of channels: grey, grey and alpha, RGB, RGBA.
PNG_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def encode(kind: str, samples: NDArray[np.uint16], icc: bytes | None) -> bytes:
    """A PNG or TIFF file of ``H x W x n`` uint16: grey, grey and alpha, RGB or RGBA, with its ICC profile."""
    return _png(samples, icc) if kind == "PNG" else _tiff(samples, icc)


def _png(samples: NDArray[np.uint16], icc: bytes | None) -> bytes:
    height, width, channels = samples.shape
    header = struct.pack(">IIBBBBB", width, height, 16, PNG_TYPES[channels], 0, 0, 0)
    profile = b"" if icc is None else _chunk(b"iCCP", b"profile\0\0" + zlib.compress(icc))
    body = _chunk(b"IDAT", zlib.compress(_filtered(samples), 6))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + profile + body + _chunk(b"IEND", b"")


def _filtered(samples: NDArray[np.uint16]) -> bytes:
    """Rows as differences from the row above (PNG filter 2, on bytes), which compress better."""
    rows = samples.astype(">u2").view(np.uint8).reshape(len(samples), -1)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    marked = np.full((len(rows), rows.shape[1] + 1), 2, np.uint8)
    marked[:, 1:] = rows - above
    return marked.tobytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _tiff(samples: NDArray[np.uint16], icc: bytes | None) -> bytes:
    """One deflated strip, little-endian (TIFF 6.0, and Adobe's technical note on compression 8)."""
    height, width, channels = samples.shape
    strip = zlib.compress(samples.astype("<u2").tobytes(), 6)
    alpha = channels in (2, 4)
    tags: list[tuple[int, str, Any]] = [
        (256, "I", [width]),
        (257, "I", [height]),
        (258, "H", [16] * channels),
        (259, "H", [8]),
        (262, "H", [2 if channels > 2 else 1]),
        (273, "I", [0]),
        (277, "H", [channels]),
        (278, "I", [height]),
        (279, "I", [len(strip)]),
    ]
    tags += [(338, "H", [2])] if alpha else []
    tags += [] if icc is None else [(34675, "B", list(icc))]
    return _tiff_file(tags, strip)


def _tiff_file(tags: list[tuple[int, str, Any]], strip: bytes) -> bytes:
    """Header, directory, the values that do not fit into it, and the strip."""
    codes = {"B": 7, "H": 3, "I": 4}
    spill_at = 8 + 2 + 12 * len(tags) + 4
    spilled = [struct.pack(f"<{len(values)}{kind}", *values) for _, kind, values in tags]
    strip_at = spill_at + sum(len(data) + len(data) % 2 for data in spilled if len(data) > 4)
    directory, spill = struct.pack("<H", len(tags)), b""
    for (tag, kind, values), data in zip(tags, spilled, strict=True):
        if tag == 273:
            data = struct.pack("<I", strip_at)
        if len(data) > 4:
            place = struct.pack("<I", spill_at + len(spill))
            spill += data + b"\0" * (len(data) % 2)
        else:
            place = data.ljust(4, b"\0")
        directory += struct.pack("<HHI", tag, codes[kind], len(values)) + place
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 0) + spill + strip
