"""Video4Linux2 capture devices: which there are, what they offer, and the best of it."""

from __future__ import annotations

import dataclasses
import errno
import os
import struct
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from edge_sr.errors import InputError, InputNotFoundError
from edge_sr.sizes import size_text

# Request numbers and structures of linux/videodev2.h (a fixed kernel interface).
CAPTURE = 1
ENUM_FORMAT = (0xC0405602, "=III32s4s4I", 64)
ENUM_SIZE = (0xC02C564A, "=I4sI8I", 44)
ENUM_INTERVAL = (0xC034564B, "=I4sIII8I", 52)
DISCRETE = 1
MOST_ENTRIES = 64

# FFmpeg's names of what webcams send. Raw pictures cost no decoding; MJPEG fits a USB bus at larger sizes.
INPUT_FORMATS = {
    b"YUYV": "yuyv422",
    b"MJPG": "mjpeg",
    b"UYVY": "uyvy422",
    b"NV12": "nv12",
    b"YU12": "yuv420p",
}
# At most this many pixels are asked of a camera: more would be thrown away by the deadline.
MOST_PIXELS = 1280 * 720

Ask = Callable[[tuple[int, str, int], bytes], "tuple[int | bytes, ...] | None"]


@dataclasses.dataclass(frozen=True)
class Mode:
    """One format of a device: pixel format by FFmpeg's name, ``(width, height)``, frames a second."""

    pixel_format: str
    size: tuple[int, int]
    rate: Fraction

    def __str__(self) -> str:
        return f"{self.pixel_format} {size_text(self.size)} at {float(self.rate):g}"


def devices() -> list[str]:
    """The capture devices that exist, in their numbers' order."""
    found = Path("/dev").glob("video*")
    return sorted((str(path) for path in found), key=lambda name: (len(name), name))


def check_device(name: str) -> None:
    """``InputNotFoundError`` for an absent device, listing those there are; ``InputError`` without leave."""
    if not Path(name).exists():
        there = ", ".join(devices()) or "none at all"
        raise InputNotFoundError(f"no capture device {name}; there is {there}")
    if not os.access(name, os.R_OK | os.W_OK):
        raise InputError(f"no permission to use {name}: add yourself to the group video, then log in again")


def modes(name: str) -> list[Mode]:
    """All discrete formats of the device that can be read; empty when it does not say."""
    if not sys.platform.startswith("linux"):
        return []
    import fcntl

    check_device(name)
    with open(name, "rb", buffering=0) as device:

        def ask(request: tuple[int, str, int], start: bytes) -> tuple[int | bytes, ...] | None:
            number, layout, size = request
            data = bytearray(start.ljust(size, b"\0"))
            try:
                fcntl.ioctl(device, number, data)
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.ENOTTY):
                    return None
                raise InputError(f"{name} does not answer: {error.strerror}") from error
            return struct.unpack_from(layout, data)

        return list(read_modes(ask))


def read_modes(ask: Ask) -> Iterator[Mode]:
    """Walks the device's three nested lists: formats, their sizes, their intervals."""
    for index in range(MOST_ENTRIES):
        found = ask(ENUM_FORMAT, struct.pack("=II", index, CAPTURE))
        if found is None:
            return
        code = found[4]
        assert isinstance(code, bytes)
        if code in INPUT_FORMATS:
            yield from _sizes(ask, code)


def _sizes(ask: Ask, code: bytes) -> Iterator[Mode]:
    for index in range(MOST_ENTRIES):
        found = ask(ENUM_SIZE, struct.pack("=I4s", index, code))
        if found is None or found[2] != DISCRETE:
            return
        width, height = found[3], found[4]
        assert isinstance(width, int) and isinstance(height, int)
        for rate in _rates(ask, code, width, height):
            yield Mode(INPUT_FORMATS[code], (width, height), rate)


def _rates(ask: Ask, code: bytes, width: int, height: int) -> Iterator[Fraction]:
    for index in range(MOST_ENTRIES):
        found = ask(ENUM_INTERVAL, struct.pack("=I4sII", index, code, width, height))
        if found is None or found[4] != DISCRETE:
            return
        numerator, denominator = found[5], found[6]
        assert isinstance(numerator, int) and isinstance(denominator, int)
        if numerator and denominator:
            yield Fraction(denominator, numerator)


def best_mode(offered: list[Mode], rate: Fraction | None = None) -> Mode | None:
    """The mode to use: quick enough first, then the most pixels up to ``MOST_PIXELS``, then raw before MJPEG.

    ``rate`` is the one to hold, 25 frames a second by default. None when nothing is offered.
    """
    wanted = rate or Fraction(25)

    def merit(mode: Mode) -> tuple[bool, bool, int, bool, Fraction]:
        pixels = mode.size[0] * mode.size[1]
        fits = pixels <= MOST_PIXELS
        quick = mode.rate >= wanted * Fraction(95, 100)
        nearness = -abs(mode.rate - wanted)
        return quick, fits, pixels if fits else -pixels, mode.pixel_format != "mjpeg", nearness

    return max(offered, key=merit, default=None)
