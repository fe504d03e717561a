"""Ranges by the error of the output picture: each range narrowed as far as the pictures gain by it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from edge_sr.calibration.layers import GraphMap
from edge_sr.calibration.memo import Memo
from edge_sr.calibration.placement import quantised
from edge_sr.calibration.ranges import Range
from edge_sr.calibration.trial import Trial

SHARES = (0.85, 0.7, 0.55)
# A gain below this is chance, and a wider range forgives frames that calibration never saw.
LEAST_GAIN = 0.01


def clip_ranges(
    trial: Trial,
    ranges: Mapping[str, Range],
    layers: Collection[str],
    memo: Memo,
    say: Callable[[str], None],
) -> dict[str, Range]:
    """``ranges`` with those of the encoder's points narrowed, one after the other in the network's order.

    Error is measured with all of ``layers`` quantised as on a CPU, the placement that rounds most tensors.
    """
    result = dict(ranges)

    def measured(name: str, tried: Mapping[str, Range]) -> float:
        return float(memo.get(f"clip: {name}", lambda: _error(trial, tried, layers)))

    read = {point: result[point] for point in _points(trial, layers)}
    best = measured("", result)
    for point, whole in read.items():
        for share in SHARES:
            tried = {**result, point: (whole[0] * share, whole[1] * share)}
            error = measured(f"{point} {tried[point]}", tried)
            if error > best * (1 - LEAST_GAIN):
                break
            best, result = error, tried
            say(f"range of {point} narrowed to {share:.0%}: mean squared error {error:.4f}")
    return result


def _points(trial: Trial, layers: Collection[str]) -> list[str]:
    found = GraphMap(trial.encoder)
    used = {found.points[layer.source] for name, layer in found.layers.items() if name in layers}
    return [point for point in found.points.values() if point in used]


def _error(trial: Trial, ranges: Mapping[str, Range], layers: Collection[str]) -> float:
    return trial.error(list(trial.pictures(quantised(trial.encoder, ranges, "int8-cpu", layers), None)))
