"""References and their low-resolution pictures: uint8, or float32 where the film is HDR."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError, ShapeError
from edge_sr.quality import LUMA, LUMA_BT2020, pair_sizes
from edge_sr.resample import Kernel, resize
from edge_sr.video.hr_references import HrReference

# Levels of 0 to 255: uint8, or float32 of HDR.
Picture = NDArray[Any]


class PicturePair(NamedTuple):
    """A low-resolution picture, the reference cut to fit, and the name of both."""

    name: str
    low: Picture
    high: Picture

    @property
    def size(self) -> tuple[int, int]:
        return self.high.shape[1], self.high.shape[0]


def pairs(references: Iterable[HrReference], scale: Fraction) -> Iterator[PicturePair]:
    """Each reference cut to fit ``scale`` with its low-resolution picture."""
    for reference in references:
        height, width = reference.pixels.shape[:2]
        try:
            sizes = pair_sizes((width, height), scale)
        except ShapeError as error:
            raise MediaError(f"{reference.name}: {error}") from error
        high = np.ascontiguousarray(reference.pixels[: sizes.high[1], : sizes.high[0]])
        yield PicturePair(reference.name, _reduced(high, sizes.low), high)


def _reduced(high: Picture, size: tuple[int, int]) -> Picture:
    """The low-resolution picture: levels of 8 bits, of HDR those of 10."""
    low: Picture = resize(high, size)
    if low.dtype == np.uint8:
        return low
    return np.clip(np.rint(low * (1023 / 255)), 0, 1023).astype(np.float32) * np.float32(255 / 1023)


def weights_for(picture: Picture) -> NDArray[np.float64]:
    """Of luma: HDR is BT.2020."""
    return LUMA if picture.dtype == np.uint8 else LUMA_BT2020


def frame_of(picture: Picture) -> Picture:
    """The picture as an ``Upscaler`` takes it."""
    return picture if picture.dtype == np.uint8 else picture / np.float32(255)


def levels_of(frame: Picture) -> Picture:
    """The inverse of ``frame_of``."""
    return frame if frame.dtype == np.uint8 else frame * np.float32(255)


def interpolated(picture: Picture, size: tuple[int, int], kernel: Kernel) -> Picture:
    """By a baseline's kernel, within the range that levels have."""
    larger: Picture = resize(picture, size, kernel)
    return larger if larger.dtype == np.uint8 else np.clip(larger, 0, 255)


def shown(picture: Picture) -> NDArray[np.uint8]:
    """As pages show it: levels of 8 bits."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
