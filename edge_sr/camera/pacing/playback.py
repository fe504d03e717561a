"""The frames of what can be read faster than it plays, held back until their time has come."""

from __future__ import annotations

import threading
import time
from fractions import Fraction

from edge_sr.camera.pacing.clock import JUMP_SECONDS
from edge_sr.video.live.arrival import Playback

# Where no rate is named.
USUAL_SPACING = 0.04
# A piece of a stream that comes so much too late is played from there, so that its frames do not come all at once.
LATE_SECONDS = 0.05


class PlaybackPace:
    """Says when each frame is due, by the spacing that the frames' own times have.

    Times that go back, and gaps of a clock that may break, are no reason to wait: the next frame follows the last at
    the spacing that they had until then.
    """

    def __init__(self, playback: Playback, rate: Fraction | None) -> None:
        self._playback = playback
        self._step = self._spacing = USUAL_SPACING if rate is None else float(1 / rate)
        self._last: float | None = None
        self._shift = 0.0

    def due(self, seconds: float, now: float) -> float:
        """When, by the clock of ``now``, the frame is due whose own time is ``seconds``."""
        if self._last is None:
            self._shift = now - seconds
        elif self._breaks(seconds - self._last):
            self._shift += self._last + self._spacing - seconds
        else:
            self._spacing = seconds - self._last
        self._last = seconds
        if self._playback.stalls and now - self._shift - seconds > LATE_SECONDS:
            self._shift = now - seconds
        return self._shift + seconds

    def next_time(self, now: float) -> float:
        """The own time of a frame that comes without, as in raw H.264: one spacing after the last, or ``now`` where it
        is late and the source may stall."""
        if self._last is None:
            self._shift, self._last = now, 0.0
            return self._last
        self._last += self._spacing
        late = now - self._shift - self._last
        if self._playback.stalls and late > LATE_SECONDS:
            self._last += late
        return self._last

    def wait(self, seconds: float | None, stop: threading.Event) -> tuple[float, float]:
        """Waits until the frame is due, or for ``stop``; gives its own time and the moment."""
        now = time.monotonic()
        if seconds is None:
            seconds = self.next_time(now)
            due = self._shift + seconds
        else:
            due = self.due(seconds, now)
        stop.wait(max(0.0, due - now))
        return seconds, time.monotonic()

    def _breaks(self, step: float) -> bool:
        """A gap that comes twice is the film's own spacing."""
        before, self._step = self._step, step
        return step <= 0 or (self._playback.jumps and step > before + JUMP_SECONDS)
