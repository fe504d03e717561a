"""PNGs that Adam7 interlaces, as pictures and as films: FFmpeg marks them as made of two fields, which they are not."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from support.images import chunk

from edge_sr.video.film.film import Film
from edge_sr.video.frames.pixels import ToRgb
from edge_sr.video.image.read import read_still

# The seven passes: first column and row, and steps between them.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def adam7(samples: np.ndarray, before: bytes = b"") -> bytes:
    """An interlaced PNG of ``H x W x n`` samples, uint8 or uint16, with chunks ``before`` the pixels."""
    height, width, channels = samples.shape
    parts = [samples[y::down, x::across] for x, y, across, down in PASSES]
    order = ">u2" if samples.dtype == np.uint16 else "u1"
    lines = b"".join(b"\0" + row.astype(order).tobytes() for part in parts if part.size for row in part)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8 * samples.itemsize, kind, 0, 0, 1)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def noise(size: tuple[int, int], channels: int) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 65536, (*size, channels), dtype=np.uint16)


@pytest.mark.parametrize("size", [(64, 96), (13, 19), (65, 97), (7, 1001)], ids=str)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_interlaced_png_of_16_bits_is_read_bit_for_bit(
    tmp_path: Path, size: tuple[int, int], channels: int
) -> None:
    samples, path = noise(size, channels), tmp_path / "deep.png"
    path.write_bytes(adam7(samples))
    still = read_still(path)
    assert still.damage == ""
    colours = samples[..., :3] if channels > 2 else samples[..., :1]
    assert np.array_equal(np.rint(still.pixels * 65535), np.broadcast_to(colours, (*size, 3)))
    if channels in (2, 4):
        assert still.alpha is not None
        assert np.array_equal(np.rint(still.alpha * 65535), samples[..., -1])


def test_a_colour_that_stands_for_transparency_is_read_of_an_interlaced_png(tmp_path: Path) -> None:
    samples, path = noise((64, 96), 3), tmp_path / "key.png"
    samples[20:30] = samples[20, 20]
    path.write_bytes(adam7(samples, chunk(b"tRNS", samples[20, 20].astype(">u2").tobytes())))
    still = read_still(path)
    assert still.alpha is not None
    assert np.array_equal(still.alpha == 0, (samples == samples[20, 20]).all(axis=2))
    assert np.array_equal(np.rint(still.pixels * 65535), samples)


@pytest.mark.parametrize("deep", [False, True])
def test_a_sequence_of_interlaced_pngs_is_not_deinterlaced(tmp_path: Path, deep: bool) -> None:
    pictures = [noise((48, 64), 3) >> (0 if deep else 8) for _ in range(3)]
    for number, picture in enumerate(pictures):
        whole = picture if deep else picture.astype(np.uint8)
        (tmp_path / f"p{number}.png").write_bytes(adam7(whole))
    with Film(str(tmp_path / "p%d.png")) as film:
        to_rgb = ToRgb(film.info.colour, film.info.layout)
        found = [to_rgb(timed.frame) for timed in film.frames()]
        assert not any("interlaced" in note for note in film.info.notes)
    assert len(found) == 3
    for frame, picture in zip(found, pictures, strict=True):
        assert np.array_equal(np.rint(frame * (65535 if deep else 255)), picture)
