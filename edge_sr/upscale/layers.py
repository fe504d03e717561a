"""The colours of a picture and its alpha channel through one network, each as a picture of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.tensors import Frame
from edge_sr.upscale.hidden_colours import from_visible
from edge_sr.upscaler import PartTimes, Result
from edge_sr.video.frames.alpha import is_even
from edge_sr.yuv import YuvFrame


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
