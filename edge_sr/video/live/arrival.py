"""What every live source gives, and how long it may be waited for."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av

# For the source to answer, and for its next packet.
OPEN_SECONDS = 10.0
READ_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class Playback:
    """What there is to know for the pace of a source that can be read faster than it plays.

    ``jumps``: its clock may break off, so that a gap is no pause. ``stalls``: it comes in pieces, late at times, and
    then goes on from there.
    """

    jumps: bool = False
    stalls: bool = False


@dataclasses.dataclass(frozen=True)
class Arrival:
    """A decoded frame, when it came in (``time.monotonic``), and its time by its own clock, in seconds.

    ``aspect`` is a pixel's width by its height once the frame is upright.
    """

    frame: av.VideoFrame
    captured: float
    seconds: float | None = None
    aspect: Fraction = Fraction(1)


@dataclasses.dataclass(frozen=True)
class Sound:
    """A packet of the source's sound, and its time by the source's clock in seconds."""

    packet: Any
    seconds: float
