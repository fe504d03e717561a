"""Colours under an alpha of zero: nobody sees them, but a network would draw them into the visible rim."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float32]


def from_visible(colours: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """``colours`` with hidden pixels in the colours of the visible ones around them, each weighted by its alpha.

    ``colours``: ``H x W x 3``, uint8 or float32, returned as it is where no pixel of ``alpha``, ``H x W``, is zero;
    visible pixels keep theirs.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return colours
    around = _spread(_weighted(colours, alpha))
    if colours.dtype == np.uint8:
        around = np.rint(around)
    filled = np.empty_like(colours)
    height, width = hidden.shape
    for channel in range(3):
        near = around[channel].astype(colours.dtype).repeat(2, 0)[:height].repeat(2, 1)[:, :width]
        filled[..., channel] = np.where(hidden, near, colours[..., channel])
    return filled


def _weighted(colours: NDArray[Any], alpha: NDArray[Any]) -> Planes:
    """Sums over two by two pixels of each colour by alpha, and of alpha: ``4 x H/2 x W/2``."""
    weights = alpha.astype(np.float32)
    planes = [colours[..., channel] * weights for channel in range(3)]
    return np.stack([_halved(plane) for plane in (*planes, weights)])


def _halved(plane: Planes) -> Planes:
    """Sums of two by two values."""
    height, width = plane.shape[-2:]
    if height % 2 or width % 2:
        plane = np.pad(plane, [(0, 0)] * (plane.ndim - 2) + [(0, height % 2), (0, width % 2)])
    rows = plane[..., 0::2, :] + plane[..., 1::2, :]
    return rows[..., 0::2] + rows[..., 1::2]


def _spread(sums: Planes) -> Planes:
    """Means from weighted ``sums``, whose last plane is the weight: where it is zero, of ever larger surroundings."""
    weights = sums[-1]
    empty = weights == 0
    means: Planes = sums[:-1] / np.maximum(weights, empty, dtype=np.float32)
    if empty.any():
        means = np.where(empty, _doubled(_spread(_halved(sums)), *empty.shape), means)
    return means


def _doubled(means: Planes, height: int, width: int) -> Planes:
    """Twice as high and wide, linear in between, less the row and column that were too many."""
    for axis, size in ((1, height), (2, width)):
        at = np.arange(size)
        other = np.clip(at // 2 + np.where(at % 2, 1, -1), 0, means.shape[axis] - 1)
        near, far = np.take(means, at // 2, axis), np.take(means, other, axis)
        means = near * np.float32(0.75) + far * np.float32(0.25)
    return means
