"""The colours of a picture and its alpha channel through one network, each as a picture of its own.

Nobody sees the colours under an alpha of zero, but the network would draw them into the visible rim.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.tensors import Frame
from edge_sr.upscaler import PartTimes, Result
from edge_sr.video.frames.alpha import is_even
from edge_sr.yuv import YuvFrame

Planes = NDArray[np.float32]


class Layers:
    """What of one picture goes through the network: the colours, then alpha as a grey picture unless it has one value.

    ``colours`` is ``H x W x 3`` or YUV, which has no alpha; ``alpha`` is ``H x W`` of the colours' dtype. Where alpha
    is zero the network sees the colours of the visible surroundings.
    """

    def __init__(self, colours: Frame | YuvFrame, alpha: NDArray[Any] | None = None) -> None:
        self._colours = colours
        self._alpha = alpha
        self._varies = alpha is not None and not is_even(alpha)

    @classmethod
    def of(cls, frame: Frame | YuvFrame) -> Layers:
        """Of a film's frame, whose alpha channel is the fourth if it has one."""
        if isinstance(frame, YuvFrame) or frame.shape[2] == 3:
            return cls(frame)
        return cls(np.ascontiguousarray(frame[..., :3]), frame[..., 3])

    def __iter__(self) -> Iterator[Any]:
        if self._alpha is None or not self._varies or isinstance(self._colours, YuvFrame):
            yield self._colours
        else:
            yield from_visible(self._colours, self._alpha)
            yield np.repeat(self._alpha[..., np.newaxis], 3, axis=2)

    def enlarged_alpha(
        self, colours: Result, rest: Iterator[Result]
    ) -> tuple[NDArray[Any] | None, PartTimes]:
        """What became of alpha, ``H x W``, and what both layers took: ``colours``' result, and the next of ``rest``."""
        if self._alpha is None:
            return None, colours.times
        if not self._varies:
            return np.broadcast_to(self._alpha[0, 0], colours.frame.shape[:2]), colours.times
        grey = next(rest)
        return grey.frame[..., 1], colours.times + grey.times

    def joined(self, colours: Result, rest: Iterator[Result]) -> Result:
        """The frame's result, alpha as its fourth channel if it has one."""
        alpha, times = self.enlarged_alpha(colours, rest)
        return colours if alpha is None else Result(np.dstack([colours.frame, alpha]), times)


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
