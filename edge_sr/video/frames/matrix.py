"""RGB and codes of luma and chroma, by the film's matrix and range; all of one size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.video.frames.colour import Colour


def levels(depth: int, full_range: bool) -> tuple[float, float, float, float]:
    """Luma's black and span, chroma's neutral and span, in codes of ``depth`` bits (ITU-R BT.709, 6.10)."""
    unit = float(1 << (depth - 8))
    top = float((1 << depth) - 1)
    return (0.0, top, 128 * unit, top) if full_range else (16 * unit, 219 * unit, 128 * unit, 224 * unit)


def yuv_to_rgb(planes: NDArray[Any], colour: Colour, depth: int) -> NDArray[np.float32]:
    """``3 x H x W`` codes of ``depth`` bits to RGB, float32 ``H x W x 3`` in [0, 1]."""
    black, luma_span, neutral, chroma_span = levels(depth, colour.full_range)
    red, blue = colour.luma_weights
    green = 1 - red - blue
    y = (planes[0] - np.float32(black)) / np.float32(luma_span)
    u = (planes[1] - np.float32(neutral)) / np.float32(chroma_span)
    v = (planes[2] - np.float32(neutral)) / np.float32(chroma_span)
    picture = np.empty((*y.shape, 3), np.float32)
    picture[..., 0] = y + np.float32(2 * (1 - red)) * v
    picture[..., 1] = (
        y - np.float32(2 * (1 - blue) * blue / green) * u - np.float32(2 * (1 - red) * red / green) * v
    )
    picture[..., 2] = y + np.float32(2 * (1 - blue)) * u
    return np.clip(picture, 0, 1, out=picture)


def rgb_to_yuv(picture: NDArray[Any], colour: Colour, depth: int) -> NDArray[Any]:
    """RGB float32 ``H x W x 3`` in [0, 1] to ``3 x H x W`` codes, uint8 or uint16 by depth."""
    black, luma_span, neutral, chroma_span = levels(depth, colour.full_range)
    red, blue = colour.luma_weights
    r, g, b = picture[..., 0], picture[..., 1], picture[..., 2]
    y = np.float32(red) * r + np.float32(1 - red - blue) * g + np.float32(blue) * b
    u = (b - y) / np.float32(2 * (1 - blue))
    v = (r - y) / np.float32(2 * (1 - red))
    codes = np.stack((y * luma_span + black, u * chroma_span + neutral, v * chroma_span + neutral))
    codes = np.clip(np.rint(codes), 0, (1 << depth) - 1)
    return codes.astype(np.uint8 if depth == 8 else np.uint16)
