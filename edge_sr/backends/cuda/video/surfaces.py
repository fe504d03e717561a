"""NV12 and P010 surfaces, as NVDEC writes and NVENC reads them, to the networks' pictures and back on the device.

Surfaces of hardware have not been seen yet: the kernels ran on the emulated GPU alone.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda.driver.protocol import aligned
from edge_sr.backends.cuda.kernels import Kernel, Launch, Parameters
from edge_sr.backends.cuda.network.form import SurfaceForm
from edge_sr.sizes import Size
from edge_sr.yuv import Surface, YuvColour

THREADS = 128


def packed_surface(address: int, size: Size, depth: int) -> Surface:
    """The planes one after the other, without padding, of a picture of ``(width, height)``, both even."""
    width, height = size
    pitch = width if depth == 8 else 2 * width
    return Surface(address, address + pitch * height, pitch, pitch, width, height, depth)


def encoder_surface(address: int, size: Size, depth: int, owner: object) -> Surface:
    """As NVENC takes one: chroma right below luma, rows as far apart as a multiple of what every encoder wants."""
    (width, height), pitch = size, _pitch(size, depth)
    return Surface(address, address + pitch * height, pitch, pitch, width, height, depth, owner)


def surface_bytes(size: Size, depth: int) -> int:
    """What such a surface of ``(width, height)`` takes."""
    return _pitch(size, depth) * size[1] * 3 // 2


def _pitch(size: Size, depth: int) -> int:
    return aligned(size[0] if depth == 8 else 2 * size[0])


class SurfaceParameters(Parameters):
    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("luma", "chroma", "picture")),
        *((name, ctypes.c_int) for name in ("luma_pitch", "chroma_pitch", "height", "width", "chroma_top")),
        ("matrix", ctypes.c_float * 12),
    )


def to_picture(surface: Surface, colour: YuvColour, picture: int) -> Launch:
    """Into ``height x width x 3`` at ``picture``: uint8 for 8 bits, else float32 in [0, 1]."""
    return _launch(surface, colour, picture, "to", codes_to_colours(colour, surface.depth))


def from_picture(picture: int, colour: YuvColour, surface: Surface) -> Launch:
    """The way back: codes rounded, chroma the mean around where it lies."""
    return _launch(surface, colour, picture, "from", colours_to_codes(colour, surface.depth))


def _launch(
    surface: Surface, colour: YuvColour, picture: int, way: str, matrix: NDArray[np.float32]
) -> Launch:
    name, kind = ("nv12", "bytes") if surface.depth == 8 else ("p010", "floats")
    kernel = Kernel(SurfaceForm(), f"surface_{name}_{way}_{kind}", THREADS, 0, (2, 2 * THREADS))
    addresses = surface.luma, surface.chroma, picture
    shape = surface.luma_pitch, surface.chroma_pitch, surface.height, surface.width
    numbers = (ctypes.c_float * 12)(*(float(value) for value in matrix.reshape(-1)))
    parameters = SurfaceParameters(*addresses, *shape, int(colour.chroma_top), numbers)
    return Launch(kernel, (-(-surface.width // (2 * THREADS)), -(-surface.height // 2)), parameters)


def codes_to_colours(colour: YuvColour, depth: int) -> NDArray[np.float32]:
    """``3 x 4``: red, green and blue in 255ths from luma, both chroma and one (ITU-R BT.601, BT.709, BT.2020)."""
    black, luma, neutral, chroma = _ranges(colour.full_range, depth)
    red, blue = colour.weights
    green = 1 - red - blue
    by_v, by_u = 2 * (1 - red), 2 * (1 - blue)
    rows = [(1, 0, by_v), (1, -by_u * blue / green, -by_v * red / green), (1, by_u, 0)]
    scaled = np.array(rows) * 255 / np.array([luma, chroma, chroma])
    offset = -scaled @ np.array([black, neutral, neutral])
    return np.concatenate([scaled, offset[:, None]], axis=1).astype(np.float32)


def colours_to_codes(colour: YuvColour, depth: int) -> NDArray[np.float32]:
    """``3 x 4``: luma and both chroma from red, green and blue in 255ths, and one."""
    black, luma, neutral, chroma = _ranges(colour.full_range, depth)
    red, blue = colour.weights
    y = np.array([red, 1 - red - blue, blue])
    u = (np.array([0, 0, 1]) - y) / (2 * (1 - blue))
    v = (np.array([1, 0, 0]) - y) / (2 * (1 - red))
    scaled = np.stack([y * luma, u * chroma, v * chroma]) / 255
    return np.concatenate([scaled, [[black], [neutral], [neutral]]], axis=1).astype(np.float32)


def _ranges(full: bool, depth: int) -> tuple[float, float, float, float]:
    """Luma's black and span, chroma's neutral and span, in codes."""
    unit: Any = 1 << (depth - 8)
    top = (1 << depth) - 1
    return (0, top, 128 * unit, top) if full else (16 * unit, 219 * unit, 128 * unit, 224 * unit)
