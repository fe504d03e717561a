"""Ranges by the error of the output picture: each range narrowed as far as the pictures gain by it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from edge_sr.calibration.graph.layers import GraphMap
from edge_sr.calibration.graph.qdq import quantised
from edge_sr.calibration.ranges.levels import Range
from edge_sr.calibration.search.cache import SearchCache
from edge_sr.calibration.search.trial import Trial

SHARES = (0.85, 0.7, 0.55)
# In dB against FP32's pictures. A smaller gain is chance, and a wider range forgives frames that were never
# seen; no frame may pay for the others' gain.
LEAST_GAIN = 0.1
MOST_LOSS = 0.05


def clip_ranges(
    trial: Trial,
    ranges: Mapping[str, Range],
    layers: Collection[str],
    cache: SearchCache,
    say: Callable[[str], None],
) -> dict[str, Range]:
    """``ranges`` with those of the main graph's points narrowed, one after the other in the network's order.

    Error is measured with all of ``layers`` quantised as on a CPU, the scheme that rounds most tensors.
    """
    result = dict(ranges)

    def measured(name: str, tried: Mapping[str, Range]) -> NDArray[np.float64]:
        return np.array(cache.get(f"clip: {name}", lambda: _decibels(trial, tried, layers)))

    read = {point: result[point] for point in _points(trial, layers)}
    best = measured("", result)
    for point, whole in read.items():
        for share in SHARES:
            tried = {**result, point: (whole[0] * share, whole[1] * share)}
            found = measured(f"{point} {tried[point]}", tried)
            gain = found - best
            if gain.mean() < LEAST_GAIN or gain.min() < -MOST_LOSS:
                break
            best, result = found, tried
            say(f"range of {point} narrowed to {share:.0%}: {found.mean():.2f} dB from FP32's pictures")
    return result


def _points(trial: Trial, layers: Collection[str]) -> list[str]:
    found = GraphMap(trial.main)
    used = {found.points[layer.source] for name, layer in found.layers.items() if name in layers}
    return [point for point in found.points.values() if point in used]


def _decibels(trial: Trial, ranges: Mapping[str, Range], layers: Collection[str]) -> list[float]:
    """Of each picture against FP32's."""
    model = quantised(trial.main, ranges, "int8-cpu", layers, trial.residual)
    errors = trial.errors(list(trial.pictures({trial.subject.main: model})))
    return [10 * math.log10(255**2 / max(error, 1e-6)) for error in errors]
