"""Frames for a sink that has a rate and no times: where some are missing, the one before is repeated."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction

# A reader who pauses for a moment can make up for it.
PATIENCE_SECONDS = 0.25


class Cadence:
    """Counts the frames of a sink at ``rate`` and says how often the last one has to be repeated."""

    def __init__(self, rate: Fraction, clock: Callable[[], float] = time.monotonic) -> None:
        self._period = float(1 / rate)
        self._clock = clock
        self._due: float | None = None

    def missing(self, seconds: float) -> Iterator[None]:
        """Once for each repetition to be written before the frame that is shown from ``seconds`` on.

        A reader who takes frames no quicker than they are shown, as a player does, never catches up: with all of them
        it would see little else than repetitions. Time that it held the sink up for is left out.
        """
        due = seconds if self._due is None else self._due
        began, spent, repeated = self._clock(), 0.0, 0
        while seconds - due > self._period / 2 and spent <= max(PATIENCE_SECONDS, self._slow(repeated)):
            yield
            due, repeated = due + self._period, repeated + 1
            spent = self._clock() - began
        if spent > self._slow(repeated):
            due = seconds + spent
        self._due = due + self._period

    def _slow(self, repeated: int) -> float:
        """Seconds that so many frames take at twice the rate."""
        return repeated * self._period / 2
