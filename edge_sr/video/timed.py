"""A frame with its place and time in a film, whatever form it has on its way: decoded, RGB, upscaled, or YUV again."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Generic, TypeVar

Form = TypeVar("Form")
Other = TypeVar("Other")


@dataclasses.dataclass(frozen=True)
class Timed(Generic[Form]):
    """``index``: its number in the film from 0; ``pts`` and ``duration`` in units of the film's time base."""

    index: int
    pts: int
    duration: int
    frame: Form

    def holding(self, frame: Other) -> Timed[Other]:
        """Another form of the frame, at the same place and time."""
        return Timed(self.index, self.pts, self.duration, frame)


def longest_frame(unit: Fraction) -> Fraction:
    """How long one frame may last in a film that counts time in ``unit``, both in seconds.

    MP4 has 31 bits for it, of which FFmpeg's muxer needs some for the delay of decoding and for a finer unit than a
    coarse one.
    """
    return min(Fraction(24 * 3600), unit * (7 << 28))
