"""The colours of a picture and its alpha channel through one network, each as a picture of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edge_sr.tensors import Frame
from edge_sr.upscaler import Result
from edge_sr.video.frames.alpha import is_even
from edge_sr.yuv import YuvFrame


def layers_of(frame: Frame | YuvFrame) -> Iterator[Any]:
    """``H x W x 3`` and YUV as they are; of ``H x W x 4`` the colours, then alpha as a grey picture unless it is of one
    value."""
    if isinstance(frame, YuvFrame) or frame.shape[2] == 3:
        yield frame
        return
    yield np.ascontiguousarray(frame[..., :3])
    alpha = frame[..., 3:]
    if not is_even(alpha):
        yield np.repeat(alpha, 3, axis=2)


def joined_layers(frame: Frame | YuvFrame, colours: Result, rest: Iterator[Result]) -> Result:
    """What became of ``layers_of(frame)``: ``colours``, and of ``rest`` the alpha channel if it was given."""
    if isinstance(frame, YuvFrame) or frame.shape[2] == 3:
        return colours
    alpha, times = frame[..., 3:], colours.times
    if is_even(alpha):
        enlarged = np.broadcast_to(alpha[:1, :1], (*colours.frame.shape[:2], 1))
    else:
        grey = next(rest)
        enlarged, times = grey.frame[..., 1:2], times + grey.times
    return Result(np.concatenate([colours.frame, enlarged], axis=2), times)
