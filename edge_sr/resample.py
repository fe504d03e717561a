"""Separable resampling in numpy: antialiased bicubic as MATLAB's ``imresize`` does it, and Lanczos-3.

Every axis is one linear map. Its weights are held as **bands**: runs of output samples with the small dense
matrix that makes them out of the input samples they touch, so that an axis costs one BLAS product a band
whatever the ratio. Bands are cached by size, which makes a set of equal pictures, or training patches, cheap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import OptionError, ShapeError

Kernel = Literal["bicubic", "lanczos3"]
Array = NDArray[Any]
Float = NDArray[np.float64]

BAND = 64  # output samples in one product: long enough for BLAS, short enough to skip the zeros


class Band(NamedTuple):
    """Output samples ``start`` to ``start + len(weights)`` out of input samples ``low`` to ``high``."""

    start: int
    low: int
    high: int
    weights: Array


def resize(image: Array, size: tuple[int, int], kernel: Kernel = "bicubic", antialias: bool = True) -> Array:
    """``image`` at ``size`` (width, height), in the same dtype.

    ``image`` is ``H x W`` or ``H x W x C``. uint8 is computed in float32, rounded half up and clipped after
    each axis, as ``imresize`` does with 8-bit pictures (here the width goes first at equal ratios); float32
    and float64 stay as they come out (these kernels overshoot, so clip where the range matters). Each axis
    has the ratio of its own sizes, centres are aligned at half pixels and edges are mirrored. With
    ``antialias`` a kernel that shrinks is widened by the ratio. Raises ``ShapeError`` for another shape,
    dtype or an empty size, ``OptionError`` for an unknown kernel.
    """
    _check(image, size)
    whole = image.dtype == np.uint8
    out = resize_planes(_to_planes(image), size, kernel, antialias, whole)
    back = np.ascontiguousarray(out if image.ndim == 2 else np.moveaxis(out, 0, 2))
    return back.astype(np.uint8) if whole else back


def resize_planes(
    planes: Array,
    size: tuple[int, int],
    kernel: Kernel = "bicubic",
    antialias: bool = True,
    whole: bool = False,
) -> Array:
    """``planes`` (float32 or float64, ``... x H x W``) at ``size`` (width, height), same dtype.

    The quick way in: no change of layout. ``whole`` rounds to levels of 0 to 255 after each axis; without it
    nothing is rounded or clipped. Raises ``OptionError`` for an unknown kernel.
    """
    height, width = planes.shape[-2:]
    # The axis that shrinks more goes first and leaves less work for the other.
    rows_first = size[1] * width < size[0] * height
    for axis in (-2, -1) if rows_first else (-1, -2):
        pieces = bands(planes.shape[axis], size[-1 - axis], kernel, antialias, planes.dtype.char)
        planes = _along_rows(planes, pieces) if axis == -2 else _along_columns(planes, pieces)
        planes = to_levels(planes) if whole else planes
    return planes


def resize_part(
    planes: Array,
    sizes: tuple[tuple[int, int], tuple[int, int]],
    box: tuple[int, int, int, int],
    origin: tuple[int, int] = (0, 0),
    kernel: Kernel = "bicubic",
    whole: bool = False,
) -> Array:
    """The ``box`` (x0, y0, x1, y1) of what ``resize_planes`` would make of a whole picture, antialiased.

    ``planes`` is the part of the picture that begins at ``origin`` (x, y) and holds all that the box reads;
    ``sizes`` are the picture's and the result's (width, height).
    """
    source, target = sizes
    rows_first = target[1] * source[0] < target[0] * source[1]
    for axis in (-2, -1) if rows_first else (-1, -2):
        i = -1 - axis
        pieces = part_bands(source[i], target[i], (box[i], box[i + 2]), origin[i], kernel, planes.dtype.char)
        planes = _along_rows(planes, pieces) if axis == -2 else _along_columns(planes, pieces)
        planes = to_levels(planes) if whole else planes
    return planes


def weight_matrix(source: int, target: int, kernel: Kernel = "bicubic", antialias: bool = True) -> Float:
    """The linear map of one axis, float64, ``target x source``; every row sums to 1."""
    matrix = np.zeros((target, source))
    indices, weights = _taps(source, target, kernel, antialias)
    np.add.at(matrix, (np.arange(target)[:, None], indices), weights)
    return matrix


@lru_cache(maxsize=512)
def bands(source: int, target: int, kernel: Kernel, antialias: bool, dtype: str) -> tuple[Band, ...]:
    """The map of one axis in pieces, weights in ``dtype`` (a numpy type character)."""
    return _pieces(*_taps(source, target, kernel, antialias), dtype)


@lru_cache(maxsize=512)
def part_bands(
    source: int, target: int, span: tuple[int, int], origin: int, kernel: Kernel, dtype: str
) -> tuple[Band, ...]:
    """``bands`` for the outputs of ``span`` alone, over samples that begin at ``origin``."""
    indices, weights = _taps(source, target, kernel, True)
    wanted = slice(*span)
    return _pieces(indices[wanted] - origin, weights[wanted], dtype)


def _pieces(indices: NDArray[np.intp], weights: Float, dtype: str) -> tuple[Band, ...]:
    starts = range(0, len(indices), BAND)
    return tuple(
        _band(start, indices[start : start + BAND], weights[start : start + BAND], dtype) for start in starts
    )


def to_levels(values: Array) -> Array:
    """Whole levels of 0 to 255, still float: rounded half up, as MATLAB converts to uint8."""
    return np.clip(np.floor(values + 0.5), 0, 255)


def cubic(x: Float) -> Float:
    """Keys' cubic convolution with a = -0.5, support 4."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def lanczos3(x: Float) -> Float:
    """The sinc windowed by its three times wider self, support 6."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


KERNELS: dict[str, tuple[Callable[[Float], Float], float]] = {
    "bicubic": (cubic, 4.0),
    "lanczos3": (lanczos3, 6.0),
}


def _taps(source: int, target: int, kernel: Kernel, antialias: bool) -> tuple[NDArray[np.intp], Float]:
    if kernel not in KERNELS:
        raise OptionError(f"expected a kernel out of {', '.join(KERNELS)}, found {kernel!r}")
    function, support = KERNELS[kernel]
    shrink = min(1.0, target / source) if antialias else 1.0
    centre = (np.arange(target) + 0.5) * (source / target) - 0.5
    count = math.ceil(support / shrink) + 2
    indices = np.floor(centre - support / shrink / 2).astype(np.intp)[:, None] + np.arange(count)
    weights = function((centre[:, None] - indices) * shrink)
    return _mirror(indices, source), weights / weights.sum(axis=1, keepdims=True)


def _mirror(indices: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    folded = indices % (2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded)


def _band(start: int, indices: NDArray[np.intp], weights: Float, dtype: str) -> Band:
    used = indices[weights != 0]
    low, high = int(used.min()), int(used.max()) + 1
    matrix = np.zeros((len(indices), high - low))
    row, tap = np.nonzero(weights)
    np.add.at(matrix, (row, indices[row, tap] - low), weights[row, tap])
    return Band(start, low, high, matrix.astype(dtype))


def _along_rows(planes: Array, pieces: tuple[Band, ...]) -> Array:
    out = np.empty((*planes.shape[:-2], _length(pieces), planes.shape[-1]), planes.dtype)
    for start, low, high, weights in pieces:
        np.matmul(weights, planes[..., low:high, :], out=out[..., start : start + len(weights), :])
    return out


def _along_columns(planes: Array, pieces: tuple[Band, ...]) -> Array:
    out = np.empty((*planes.shape[:-1], _length(pieces)), planes.dtype)
    for start, low, high, weights in pieces:
        np.matmul(planes[..., low:high], weights.T, out=out[..., start : start + len(weights)])
    return out


def _length(pieces: tuple[Band, ...]) -> int:
    return pieces[-1].start + len(pieces[-1].weights)


def _to_planes(image: Array) -> Array:
    planes = image if image.ndim == 2 else np.moveaxis(image, 2, 0)
    return np.ascontiguousarray(planes, np.float32 if image.dtype == np.uint8 else image.dtype)


def _check(image: Array, size: tuple[int, int]) -> None:
    if image.ndim not in (2, 3) or 0 in image.shape or min(size) < 1:
        raise ShapeError(
            f"expected H x W or H x W x C to a size of at least 1x1, found {image.shape} to {size}"
        )
    if image.dtype not in (np.uint8, np.float32, np.float64):
        raise ShapeError(f"expected uint8, float32 or float64 to resize, found {image.dtype}")
