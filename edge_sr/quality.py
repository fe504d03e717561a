"""How near a picture is to its original: the measures of the super-resolution papers.

Pictures are ``H x W x 3`` RGB, uint8 or float in levels of 0 to 255. ``scale`` decides how much border is
left out, for a network sees less around a pixel near the edge than elsewhere: ``ceil(scale)`` pixels for the
luma measures (Set5, Set14, B100, Urban100), ``ceil(scale) + 6`` for ``psnr_rgb`` (DIV2K in the
arbitrary-scale papers).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import ShapeError
from edge_sr.sizes import size_text

Array = NDArray[Any]
Float = NDArray[np.float64]

LUMA = np.array([65.481, 128.553, 24.966]) / 255  # BT.601, levels in, 16 to 235 out
LUMA_BT2020 = np.array([0.2627, 0.6780, 0.0593]) * 219 / 255  # likewise
WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


class PairSizes(NamedTuple):
    """Sizes (width, height) of a low-resolution picture and of the original it is held against."""

    low: tuple[int, int]
    high: tuple[int, int]


class Quality(NamedTuple):
    """``psnr_y`` and ``psnr_rgb`` in dB (infinite for equal pictures), ``ssim_y`` at most 1."""

    psnr_y: float
    ssim_y: float
    psnr_rgb: float


def pair_sizes(size: tuple[int, int], scale: Fraction) -> PairSizes:
    """What an original of ``size`` (width, height) becomes at ``scale``.

    The original loses pixels at the bottom and right only: for a whole scale it is cut to a multiple of it.
    Raises ``ShapeError`` when nothing would be left.
    """
    low = (math.floor(size[0] / scale), math.floor(size[1] / scale))
    if min(low) < 1:
        raise ShapeError(
            f"expected a picture of at least {math.ceil(scale)} pixels a side, found {size_text(size)}"
        )
    half = Fraction(1, 2)
    return PairSizes(low, (math.floor(low[0] * scale + half), math.floor(low[1] * scale + half)))


def pair_sides(side: int, scale: Fraction) -> tuple[int, int]:
    """Sides of a square's low-resolution picture and of the square that it is held against."""
    sizes = pair_sizes((side, side), scale)
    return sizes.low[0], sizes.high[0]


def compare(picture: Array, original: Array, scale: Fraction, weights: Float = LUMA) -> Quality:
    """All measures of ``picture`` against ``original`` (same shape); raises ``ShapeError`` otherwise.

    ``weights`` of luma are those of BT.601 but for pictures of wide gamut.
    """
    _check(picture, original, math.ceil(scale) + 6)
    return Quality(
        psnr_y(picture, original, scale, weights),
        ssim_y(picture, original, scale, weights),
        psnr_rgb(picture, original, scale),
    )


def luma(image: Array, weights: Float = LUMA) -> Float:
    """Luma of ``image``, BT.601's by default, float64 ``H x W``, 16 to 235, not rounded."""
    return 16 + image.astype(np.float64) @ weights


def psnr_y(picture: Array, original: Array, scale: Fraction, weights: Float = LUMA) -> float:
    """PSNR of the luma in dB, a border of ``ceil(scale)`` left out."""
    border = math.ceil(scale)
    _check(picture, original, border)
    return psnr(_inside(luma(picture, weights), border), _inside(luma(original, weights), border))


def psnr_rgb(picture: Array, original: Array, scale: Fraction) -> float:
    """PSNR over the three channels in dB, a border of ``ceil(scale) + 6`` left out."""
    border = math.ceil(scale) + 6
    _check(picture, original, border)
    return psnr(_inside(picture, border), _inside(original, border))


def ssim_y(picture: Array, original: Array, scale: Fraction, weights: Float = LUMA) -> float:
    """SSIM of the luma, 11 x 11 Gaussian of sigma 1.5 where it fits, a border of ``ceil(scale)`` left out."""
    border = math.ceil(scale)
    _check(picture, original, border + WINDOW // 2)
    return ssim(_inside(luma(picture, weights), border), _inside(luma(original, weights), border))


def psnr(a: Array, b: Array) -> float:
    """PSNR in dB of two arrays of equal shape in levels of 0 to 255."""
    error = float(np.mean(np.square(a.astype(np.float64) - b.astype(np.float64))))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ssim(a: Float, b: Float) -> float:
    """Mean SSIM of two planes in levels of 0 to 255, each side at least 11."""
    mean_a, mean_b = _blur(a), _blur(b)
    covariance = _blur(a * b) - mean_a * mean_b
    variances = _blur(a * a) - mean_a**2 + _blur(b * b) - mean_b**2
    alike = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    return float(np.mean(alike / ((mean_a**2 + mean_b**2 + C1) * (variances + C2))))


def _blur(plane: Float) -> Float:
    taps = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    taps /= taps.sum()
    height, width = plane.shape[0] - WINDOW + 1, plane.shape[1] - WINDOW + 1
    down: Float = sum((taps[i] * plane[i : i + height] for i in range(WINDOW)), np.zeros(()))
    across: Float = sum((taps[i] * down[:, i : i + width] for i in range(WINDOW)), np.zeros(()))
    return across


def _inside(image: Array, border: int) -> Array:
    return image[border : image.shape[0] - border, border : image.shape[1] - border]


def _check(picture: Array, original: Array, border: int) -> None:
    if picture.shape != original.shape or picture.ndim != 3 or picture.shape[2] != 3:
        raise ShapeError(
            f"expected two H x W x 3 pictures of one size, found {picture.shape} and {original.shape}"
        )
    if min(picture.shape[:2]) <= 2 * border:
        raise ShapeError(
            f"expected more than {2 * border} pixels a side to measure, found {picture.shape[:2]}"
        )
