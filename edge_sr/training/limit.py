"""When a run is over."""

from __future__ import annotations

import dataclasses
import math

from edge_sr.errors import OptionError


@dataclasses.dataclass(frozen=True)
class Limit:
    """After ``steps``, or after ``minutes`` of training resumed runs included when they are given.

    With minutes the rate follows the clock, so two runs are alike only when limited by steps.
    """

    steps: int
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise OptionError(f"expected at least one step, found {self.steps}")
        if self.minutes is not None and not (math.isfinite(self.minutes) and self.minutes > 0):
            raise OptionError(f"expected more than 0 minutes, found {self.minutes}")

    def fraction(self, step: int, seconds: float) -> float:
        """How much of the run is done, 0 to 1."""
        return step / self.steps if self.minutes is None else seconds / (60 * self.minutes)

    def remaining(self, step: int, seconds: float) -> float:
        """Seconds left at the pace so far."""
        fraction = self.fraction(step, seconds)
        return seconds * (1 / fraction - 1) if fraction > 0 else 0.0
