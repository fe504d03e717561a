"""Pictures as arrays: the layouts and ranges that every part agrees on.

A frame is ``h x w x 3`` RGB, uint8, or float32 in [0, 1]. Graphs take and give it with a leading axis of one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import ShapeError
from edge_sr.kinds import SampleType

Frame = NDArray[Any]
"""``h x w x 3``."""

Image = NDArray[Any]
"""``1 x h x w x 3``, a frame as graphs take and give it."""

SMALLEST_SIDE = 4


def checked_frame(frame: Frame) -> Frame:
    """``frame`` as a contiguous array, or ``ShapeError`` when layout, dtype or size is wrong."""
    if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3:
        found = getattr(frame, "shape", type(frame).__name__)
        raise ShapeError(f"a frame must be height x width x 3 (RGB), found {found}")
    if frame.dtype not in (np.uint8, np.float32):
        raise ShapeError(f"a frame must be uint8, or float32 in [0, 1], found {frame.dtype}")
    if min(frame.shape[:2]) < SMALLEST_SIDE:
        raise ShapeError(
            f"a frame must have at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels, "
            f"found {frame.shape[1]} x {frame.shape[0]}"
        )
    return np.ascontiguousarray(frame)


def sample_type_of(frame: Frame) -> SampleType:
    """Which pair of graphs takes this frame: ``uint8`` or ``float``."""
    return "uint8" if frame.dtype == np.uint8 else "float"


def to_unit(frame: Frame) -> NDArray[np.float32]:
    """uint8 levels, or float32 already in [0, 1], as float32 in [0, 1]."""
    if frame.dtype == np.uint8:
        return frame.astype(np.float32) / np.float32(255)
    return frame.astype(np.float32, copy=False)


def reference_card(width: int, height: int) -> NDArray[np.uint8]:
    """A built-in picture with what networks stumble over: gradients, hard edges, fine lines, saturated colour.

    uint8 ``height x width x 3``, the same on every machine. Exports and engines are verified on it.
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = x / max(width - 1, 1)
    green = 0.5 + 0.5 * np.sin(0.02 * (x * x + y * y) / (1 + 0.01 * (x + y)))
    blue = ((x // 5 + y // 7) % 2) * 0.8 + 0.1
    card = np.stack([red, green, blue], axis=-1)
    disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(width, height) / 4) ** 2
    card[disc] = 1 - card[disc][:, ::-1]
    lines = (x.astype(int) % 16 == 3) & (y < height / 3)
    card[lines] = (1.0, 1.0, 0.0)
    levels: NDArray[np.uint8] = np.round(np.clip(card, 0, 1) * 255).astype(np.uint8)
    return levels
