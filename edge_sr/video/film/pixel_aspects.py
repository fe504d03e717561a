"""The pixel aspect of each frame of a film in which it changes: PyAV tells that of the decoder alone."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from edge_sr.video.shape import is_credible

if TYPE_CHECKING:
    import av


def marked_aspect(frame: av.VideoFrame) -> Fraction | None:
    """What ``PixelAspects`` has put on the frame: width by height of its pixels, None where nothing says."""
    aspect = frame.opaque
    return aspect if isinstance(aspect, Fraction) else None


class PixelAspects:
    """Marks frames as they come out of ``context``, which may tell of a change before the last frames of the old."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._aspect = self._before = self._now()
        self._changed: int | None = None
        self._keyframe: int | None = None

    def mark(self, packet: Any | None, frames: Iterable[av.VideoFrame]) -> None:
        """Marks what came out when ``packet`` went in; a change holds from the last keyframe on."""
        if packet is not None and packet.is_keyframe:
            self._keyframe = packet.pts
        if (now := self._now()) != self._aspect:
            self._before, self._aspect, self._changed = self._aspect, now, self._keyframe
        for frame in frames:
            is_old = frame.pts is not None and self._changed is not None and frame.pts < self._changed
            aspect = self._before if is_old else self._aspect
            # An object each: PyAV forgets one with the first frame that goes.
            frame.opaque = None if aspect is None else Fraction(aspect.numerator, aspect.denominator)

    def _now(self) -> Fraction | None:
        aspect = self._context.sample_aspect_ratio
        return Fraction(aspect) if aspect and is_credible(Fraction(aspect)) else None
