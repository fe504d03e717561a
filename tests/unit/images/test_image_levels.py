"""Samples of few bits, and of more than Pillow keeps, become all the levels from black to white."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features
from support.images import chunk, png

from edge_sr.tensors import reference_card
from edge_sr.video.image.read import read_info, read_still

CARD = reference_card(48, 40)
DEEP = CARD.astype(np.uint16) * 257 - CARD.astype(np.uint16) // 3


def grey_png(levels: np.ndarray, bits: int, key: int) -> bytes:
    """A grey PNG of so many bits a pixel, of which the level ``key`` is transparent."""
    height, width = levels.shape
    rows = np.unpackbits(levels[..., None], axis=2)[..., 8 - bits :].reshape(height, -1)
    lines = b"".join(b"\0" + np.packbits(row).tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"tRNS", struct.pack(">H", key)),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("level", [0, 1, 255])
@pytest.mark.parametrize("high", [0, 0x5A00], ids=["", "and more bits than count"])
def test_a_grey_pngs_transparent_level_is_its_own(tmp_path: Path, bits: int, level: int, high: int) -> None:
    if bits == 1 and high:
        pytest.skip("Pillow tells of one bit only whether the level is 0")
    top = (1 << bits) - 1
    levels = np.tile(np.arange(256, dtype=np.uint8) & top, (4, 1))
    path = tmp_path / "key.png"
    path.write_bytes(grey_png(levels, bits, (level & top) | high))
    still = read_still(path)
    assert np.array_equal(still.pixels[..., 0], levels * (255 // top))
    assert still.alpha is not None
    assert np.array_equal(still.alpha == 0, levels == (level & top))


def test_of_a_colour_pngs_transparent_colour_the_low_bits_count(tmp_path: Path) -> None:
    path = tmp_path / "key.png"
    red, green, blue = (int(level) for level in CARD[3, 5])
    path.write_bytes(png(CARD, before=chunk(b"tRNS", struct.pack(">HHH", red | 0x100, green, blue))))
    alpha = read_still(path).alpha
    assert alpha is not None
    assert np.array_equal(alpha == 0, (CARD[3, 5] == CARD).all(axis=2))


@pytest.mark.parametrize("bits", [1, 2, 4, 6])
def test_jpeg_2000_of_few_bits_reaches_white(tmp_path: Path, bits: int) -> None:
    if not features.check("jpg_2000"):
        pytest.skip("this Pillow has no JPEG 2000")
    levels = np.tile(np.arange(64, dtype=np.uint8) % (1 << bits), (32, 1))
    path = tmp_path / "few.jp2"
    # The same differences from the middle grey, of which the header then says how far it is from black.
    Image.fromarray(levels + np.uint8(128 - (1 << bits >> 1))).save(path)
    file = bytearray(path.read_bytes())
    file[file.index(b"\xff\x51") + 40] = bits - 1
    path.write_bytes(file)
    expected = np.rint(levels * (255 / ((1 << bits) - 1)))
    assert np.array_equal(read_still(path).pixels[..., 1], expected)


def test_a_photoshop_bitmap_is_no_negative(tmp_path: Path) -> None:
    black = CARD[..., 0] < 128
    path = tmp_path / "bitmap.psd"
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 1, *black.shape, 1, 0)
    path.write_bytes(head + bytes(12) + bytes(2) + np.packbits(black, axis=1).tobytes())
    assert np.array_equal(read_still(path).pixels[..., 0] == 0, black)


@pytest.mark.parametrize("channels", [1, 3])
def test_sgi_keeps_its_16_bits(tmp_path: Path, channels: int) -> None:
    samples = DEEP[..., :channels]
    path = tmp_path / "deep.sgi"
    head = struct.pack(">HBBHHHH", 474, 0, 2, 3, samples.shape[1], samples.shape[0], channels)
    path.write_bytes(head.ljust(512, b"\0") + samples[::-1].transpose(2, 0, 1).astype(">u2").tobytes())
    assert read_info(path).deep
    still = read_still(path)
    assert still.grey == (channels == 1)
    assert np.array_equal(np.rint(still.pixels * 65535)[..., :channels], samples)
