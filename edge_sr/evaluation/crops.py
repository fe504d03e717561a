"""Crops of where a picture errs most, as PNG files inside ``data:`` addresses."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.quality import luma

Picture = NDArray[np.uint8]

SIDE = 64  # output pixels; small enough to see single ones on a page
AMPLIFIED = 4
CROP_NAMES = ("original", "network", "bicubic", "difference")


def worst_box(picture: Picture, reference: Picture, border: int) -> tuple[int, int, int, int]:
    """The square (x, y, width, height) with the largest squared error of luma, ``border`` pixels left out."""
    error = np.square(luma(picture) - luma(reference))[border:-border, border:-border]
    height, width = min(SIDE, error.shape[0]), min(SIDE, error.shape[1])
    sums = np.pad(error, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    inside = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    y, x = np.unravel_index(np.argmax(inside), inside.shape)
    return int(x) + border, int(y) + border, width, height


def crops(picture: Picture, reference: Picture, bicubic: Picture, box: tuple[int, ...]) -> dict[str, str]:
    """The four crops that a report sets side by side."""
    x, y, width, height = box
    inner = (slice(y, y + height), slice(x, x + width))
    difference = np.abs(picture[inner].astype(int) - reference[inner].astype(int)) * AMPLIFIED
    parts = (reference[inner], picture[inner], bicubic[inner], np.minimum(difference, 255))
    return {name: data_address(part) for name, part in zip(CROP_NAMES, parts, strict=True)}


def data_address(picture: NDArray[Any]) -> str:
    """A picture (``H x W x 3``, 0 to 255) as ``data:image/png``."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
