"""How fast a run goes, which the time that it was stopped (Ctrl-Z) says nothing about."""

from __future__ import annotations

import time
from collections.abc import Callable

# Nothing came for so long, and for so many times as long as usual: the process was stopped.
STOPPED_SECONDS, STOPPED_TIMES = 10.0, 20


class Pace:
    """Frames a second since it was made."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._latest, self._seconds, self._frames = clock(), 0.0, 0

    def at(self, frames: int) -> float:
        """The pace now that there are so many frames."""
        now, new = self._clock(), frames - self._frames
        gap, self._latest = now - self._latest, now
        usual = new * self._seconds / self._frames if self._frames else gap
        self._seconds += gap if gap < max(STOPPED_SECONDS, STOPPED_TIMES * usual) else usual
        self._frames = frames
        return frames / self._seconds if self._seconds > 0 else 0.0
