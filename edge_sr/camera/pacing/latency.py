"""Percentiles of a run of any length in constant memory."""

from __future__ import annotations

import math
import threading
from collections import Counter

# Buckets grow by a hundredth: percentiles are that exact.
GROWTH = math.log(1.01)
SMALLEST_MS = 0.01


class Latencies:
    """A histogram of milliseconds on a logarithmic scale; may be read while it is filled."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._lock = threading.Lock()

    def add(self, milliseconds: float) -> None:
        with self._lock:
            self._buckets[round(math.log(max(milliseconds, SMALLEST_MS)) / GROWTH)] += 1

    def percentile(self, percent: float) -> float:
        """The time that ``percent`` of all stay within, to 1 %; 0 when there are none."""
        with self._lock:
            buckets = sorted(self._buckets.items())
        wanted = math.ceil(sum(count for _, count in buckets) * percent / 100)
        for bucket, count in buckets:
            wanted -= count
            if wanted <= 0:
                return round(math.exp(bucket * GROWTH), 3)
        return 0.0

    def mapping(self) -> dict[str, float]:
        return {f"p{percent}": self.percentile(percent) for percent in (50, 95, 99)}
