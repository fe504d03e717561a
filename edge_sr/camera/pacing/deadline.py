"""The scale follows the load: how much of the output the network can compute in time.

Any real scale is the same network, so there is always one that fits. A frame costs
``fixed + pixel * scale**2`` seconds: the encoder and everything else, and the decoder for each output pixel.
Both are followed, with their scatter; the scale is then the solution of one equation, not a search.

Down it goes at once, a missed frame being worse than a softer one. Up it goes late and in steps, and only for
a gain worth seeing, so that a load near the limit does not make it swing.

Where the fixed part alone is too much, no scale helps: then only every second frame is taken, every third, and
so on, evenly, and each has the time of so many. (An encoder fed with a smaller picture would not do instead:
at seven tenths of the size nothing of the network's gain over bicubic interpolation is left.)
"""

from __future__ import annotations

import dataclasses
import math

# Of each frame's time, how much to plan for, and the limit whose predicted crossing lowers the scale.
PLANNED = 0.88
LIMIT = 0.99
# The weight of the newest frame: as usual, and when a frame takes longer than the scatter explains.
USUAL, ALARMED = 0.15, 0.6
SCATTER_WEIGHT = 0.04
# Standard deviations kept free above the mean, and how many make an alarm.
GUARD, ALARM = 2.0, 3.0
LEAST_SCATTER = 0.02
# The scale is raised for a gain of at least this, held for so many seconds, by at most so much at a time.
WORTHWHILE = 1.08
HOLD_SECONDS = 0.4
STEP = 1.15
STEP_SECONDS = 0.12
# Scales are multiples of this.
GRAIN = 1 / 32
# Half the frames are a high price, so it is paid late: for so many frames late at the lowest scale, of which one
# in five is forgiven (a frame a little late delays the next, and no more). They are taken again once the lowest
# scale, and a deviation, would have fitted into this share of their time for so many seconds; for twice as many
# after each time that this was soon regretted.
PATIENCE, FORGIVEN = 4, 0.2
ENOUGH, EASY_SECONDS, LONGEST_EASY_SECONDS = 0.91, 1.0, 16.0
REGRET_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class FrameCost:
    """Seconds that a whole frame took: all of it, and the part that grows with the output's pixels."""

    total: float
    pixels: float


class ScaleController:
    """Keeps frames within their time by a scale between ``lowest`` and ``highest``.

    A frame comes every ``spacing`` seconds, and every ``every``-th is to be taken. ``observe`` is told what each
    of those cost at ``scale``; ``changes`` counts how often the scale moved.
    """

    def __init__(self, spacing: float, lowest: float, highest: float) -> None:
        self.lowest, self.highest = lowest, highest
        self.scale = highest
        self.every = 1
        self.changes = 0
        self._spacing = spacing
        self._late = 0.0
        self._easy_since: float | None = None
        self._easy_seconds = EASY_SECONDS
        self._returned = -math.inf
        self._fixed: float | None = None
        self._pixel = 0.0
        self._variance = 0.0
        self._roomy_since: float | None = None
        self._raised = -math.inf

    @property
    def period(self) -> float:
        """The seconds that a frame may take."""
        return self.every * self._spacing

    def observe(self, cost: FrameCost, now: float) -> None:
        """One frame computed at ``scale``; ``now`` in seconds, rising."""
        late = cost.total > self.period
        self._follow(max(cost.total - cost.pixels, 0.0), cost.pixels / self.scale**2)
        self._consider_fewer(late, now)
        self._consider_more(now)
        if self._predicted(self.scale) > LIMIT * self.period:
            self._roomy_since = None
            self._move(min(self.scale, self._affordable()))
        else:
            self._consider_raise(now)

    def _consider_fewer(self, late: bool, now: float) -> None:
        late = late and self.scale == self.lowest
        self._late = self._late + 1 if late else max(0.0, self._late - FORGIVEN)
        if self._late >= PATIENCE:
            self._late = 0.0
            self.every = max(self.every + 1, self._needed)
            regretted = now - self._returned < REGRET_SECONDS
            self._easy_seconds = (
                min(LONGEST_EASY_SECONDS, 2 * self._easy_seconds) if regretted else EASY_SECONDS
            )

    def _consider_more(self, now: float) -> None:
        if self.every == 1 or self._needed >= self.every:
            self._easy_since = None
            return
        if self._easy_since is None:
            self._easy_since = now
        if now - self._easy_since >= self._easy_seconds:
            self._easy_since, self._returned = None, now
            self.every = self._needed

    @property
    def _needed(self) -> int:
        """The least ``every`` at which the lowest scale fits."""
        return max(1, math.ceil(self._predicted(self.lowest, 1) / (ENOUGH * self._spacing)))

    def _follow(self, fixed: float, pixel: float) -> None:
        if self._fixed is None:
            self._fixed, self._pixel = fixed, pixel
            return
        expected = self._fixed + self._pixel * self.scale**2
        surprise = (fixed + pixel * self.scale**2) / max(expected, 1e-9) - 1
        bound = ALARM * self._scatter
        # Frames that come seldom count for more, so that all is followed in the same time.
        weight = ALARMED if surprise > bound else 1 - (1 - USUAL) ** self.every
        self._fixed += weight * (fixed - self._fixed)
        self._pixel += weight * (pixel - self._pixel)
        # A step is no scatter: what alarms counts no more than the alarm's own threshold.
        bounded = max(-bound, min(bound, surprise))
        self._variance += SCATTER_WEIGHT * (bounded**2 - self._variance)

    @property
    def _scatter(self) -> float:
        """The usual relative deviation of a frame's cost."""
        return max(LEAST_SCATTER, math.sqrt(self._variance))

    def _guard(self, deviations: float = GUARD) -> float:
        return 1 + deviations * self._scatter

    def _predicted(self, scale: float, deviations: float = GUARD) -> float:
        return ((self._fixed or 0.0) + self._pixel * scale**2) * self._guard(deviations)

    def _affordable(self) -> float:
        """The largest scale that fits into the planned time."""
        room = PLANNED * self.period / self._guard() - (self._fixed or 0.0)
        if room <= 0 or self._pixel <= 0:
            return self.lowest if room <= 0 else self.highest
        return min(self.highest, max(self.lowest, math.sqrt(room / self._pixel)))

    def _consider_raise(self, now: float) -> None:
        affordable = self._affordable()
        if self.scale >= self.highest or affordable < min(self.scale * WORTHWHILE, self.highest):
            self._roomy_since = None
            return
        if self._roomy_since is None:
            self._roomy_since = now
        if now - self._roomy_since >= HOLD_SECONDS and now - self._raised >= STEP_SECONDS:
            self._raised = now
            self._move(min(affordable, self.scale * STEP))

    def _move(self, scale: float) -> None:
        grained = max(self.lowest, math.floor(scale / GRAIN) * GRAIN)
        if scale >= self.highest:
            grained = self.highest
        if grained != self.scale:
            self.scale = grained
            self.changes += 1
