"""What the parts of a network took of a run's frames, however many there are."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate

from edge_sr.backends.base import PartTimes

MICROSECONDS = 1000


class PartMedians:
    """The median of each part's milliseconds over the frames added, to a microsecond, as a report shows it.

    Counted by value: different values that add up to a run of ``T`` microseconds are at most ``sqrt(2 T)``.
    """

    def __init__(self, times: Iterable[PartTimes] = ()) -> None:
        self._counts: list[Counter[int]] = [Counter() for _ in dataclasses.fields(PartTimes)]
        for one in times:
            self.add(one)

    def __len__(self) -> int:
        return self._counts[0].total()

    def add(self, times: PartTimes) -> None:
        for counts, milliseconds in zip(self._counts, dataclasses.astuple(times), strict=True):
            counts[round(milliseconds * MICROSECONDS)] += 1

    def include(self, other: PartMedians) -> None:
        """Counts the other's frames too."""
        for counts, more in zip(self._counts, other._counts, strict=True):
            counts.update(more)

    def median(self) -> PartTimes:
        """Zeros when there are no frames."""
        return PartTimes(*map(_median, self._counts)) if self else PartTimes()


def _median(counts: Counter[int]) -> float:
    values = sorted(counts)
    ends = list(accumulate(counts[value] for value in values))
    # Of an even count the two in the middle, else one of them twice.
    lower, upper = (bisect_left(ends, count // 2 + 1) for count in (ends[-1] - 1, ends[-1]))
    return (values[lower] + values[upper]) / 2 / MICROSECONDS
