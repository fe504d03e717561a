"""A webcam's lists, as the kernel's structures hold them, and the choice from them."""

from __future__ import annotations

import struct
from fractions import Fraction

from edge_sr.video.live.v4l2 import (
    ENUM_FORMAT,
    ENUM_INTERVAL,
    ENUM_SIZE,
    MOST_PIXELS,
    Mode,
    best_mode,
    read_modes,
)

# What a common USB webcam offers: raw pictures slowly, MJPEG quickly. Its H.264 is of no use here.
FORMATS = [b"YUYV", b"MJPG", b"H264"]
SIZES = {b"YUYV": [(640, 480), (1280, 720)], b"MJPG": [(640, 480), (1280, 720), (1920, 1080)]}
RATES = {(640, 480): [30, 15], (1280, 720): [10], (1920, 1080): [30]}


def answer(request: tuple[int, str, int], start: bytes) -> tuple[int | bytes, ...] | None:
    """What the driver fills in, packed and read by the same layouts that the ioctl uses."""
    number, layout, size = request
    index = struct.unpack_from("=I", start)[0]
    data = bytearray(size)
    if request is ENUM_FORMAT:
        if index >= len(FORMATS):
            return None
        struct.pack_into("=III32s4s", data, 0, index, 1, 0, b"name", FORMATS[index])
        return struct.unpack_from(layout, data)
    code = start[4:8]
    if request is ENUM_SIZE:
        if index >= len(SIZES[code]):
            return None
        struct.pack_into("=I4sIII", data, 0, index, code, 1, *SIZES[code][index])
        return struct.unpack_from(layout, data)
    assert request is ENUM_INTERVAL, number
    width, height = struct.unpack_from("=II", start, 8)
    rates = [30] if code == b"MJPG" else RATES[width, height]
    if index >= len(rates):
        return None
    struct.pack_into("=I4sIIIII", data, 0, index, code, width, height, 1, 1, rates[index])
    return struct.unpack_from(layout, data)


def test_all_modes_are_read() -> None:
    modes = list(read_modes(answer))
    assert Mode("yuyv422", (640, 480), Fraction(15)) in modes
    assert Mode("mjpeg", (1920, 1080), Fraction(30)) in modes
    assert len(modes) == 6


def test_request_numbers_carry_their_structures_sizes() -> None:
    for number, layout, size in (ENUM_FORMAT, ENUM_SIZE, ENUM_INTERVAL):
        assert struct.calcsize(layout) == size == number >> 16 & 0x3FFF


def test_the_best_is_quick_then_large_then_raw() -> None:
    modes = list(read_modes(answer))
    assert best_mode(modes) == Mode("mjpeg", (1280, 720), Fraction(30))
    assert best_mode(modes, Fraction(10)) == Mode("yuyv422", (1280, 720), Fraction(10))
    small = [mode for mode in modes if mode.size == (640, 480)]
    assert best_mode(small) == Mode("yuyv422", (640, 480), Fraction(30))
    assert best_mode([]) is None


def test_only_a_large_mode_is_better_than_none() -> None:
    large = [Mode("mjpeg", (3840, 2160), Fraction(30)), Mode("mjpeg", (1920, 1080), Fraction(30))]
    assert min(mode.size[0] * mode.size[1] for mode in large) > MOST_PIXELS
    assert best_mode(large) == large[1]
