"""Ranges of activations: what a tensor's levels must cover.

Min-max covers all that was seen. The other methods clip rare values to make the steps finer: a percentile,
the least divergence of distributions (entropy), or the least error of the output picture (``clipping``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edge_sr.calibration.graph.layers import GraphMap
from edge_sr.calibration.ranges.levels import Range
from edge_sr.calibration.search.trial import open_graph

BINS = 2048
LEVELS = 128


@dataclasses.dataclass
class Histogram:
    """Values of one tensor over all frames: their limits, and counts of magnitudes in equal bins."""

    low: float
    high: float
    counts: NDArray[np.int64] = dataclasses.field(default_factory=lambda: np.zeros(BINS, np.int64))

    @property
    def largest(self) -> float:
        return max(-self.low, self.high, 1e-12)

    def add(self, values: NDArray[Any]) -> None:
        magnitudes = np.abs(values.reshape(-1)) * np.float32(BINS / self.largest)
        index = np.minimum(magnitudes.astype(np.int64), BINS - 1)
        self.counts += np.bincount(index, minlength=BINS)

    def clipped(self, share: float) -> Range:
        """The limits, with magnitudes above ``share`` of the largest clipped."""
        edge = share * self.largest
        return max(self.low, -edge), min(self.high, edge)


class Probe:
    """A graph whose tensors of interest are outputs as well; names are those of ``GraphMap``."""

    def __init__(self, model: onnx.ModelProto, threads: int) -> None:
        tapped = onnx.ModelProto()
        tapped.CopyFrom(model)
        self._points = dict(GraphMap(tapped).points)
        outputs = {value.name for value in tapped.graph.output}
        for tensor in self._points:
            if tensor not in outputs:
                tapped.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
        self._session = open_graph(tapped, threads)
        self.result = tapped.graph.output[0].name

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
        """The graph's result, and the tensors by the names of their points."""
        names = [value.name for value in self._session.get_outputs()]
        found = dict(zip(names, self._session.run(None, dict(feeds)), strict=True))
        return found[self.result], {self._points[name]: found[name] for name in self._points}


def limits(seen: Iterable[Mapping[str, NDArray[Any]]]) -> dict[str, Histogram]:
    """Empty histograms that span all that was seen."""
    found: dict[str, Histogram] = {}
    for tensors in seen:
        for point, values in tensors.items():
            low, high = float(values.min()), float(values.max())
            known = found.setdefault(point, Histogram(low, high))
            known.low, known.high = min(known.low, low), max(known.high, high)
    return found


def ranges_by(method: str, histograms: Mapping[str, Histogram], percentile: float) -> dict[str, Range]:
    """The range of each point. ``mse`` begins with all that was seen; ``clipping`` goes on from there."""
    share = {"percentile": lambda counts: percentile_share(counts, percentile), "entropy": entropy_share}
    if method not in share:
        return {point: histogram.clipped(1.0) for point, histogram in histograms.items()}
    return {
        point: histogram.clipped(share[method](histogram.counts)) for point, histogram in histograms.items()
    }


def percentile_share(counts: NDArray[np.int64], percentile: float) -> float:
    """The share of the largest magnitude below which ``percentile`` per cent of the values lie."""
    covered = np.cumsum(counts) / max(1, int(counts.sum()))
    return float(np.searchsorted(covered, percentile / 100) + 1) / BINS


def entropy_share(counts: NDArray[np.int64]) -> float:
    """The share that loses least information, by the Kullback-Leibler divergence of values and their levels.

    As in TensorRT's entropy calibration: values beyond the edge count at the edge, and the bin of zeros,
    which ReLU fills, is left out.
    """
    plain = counts.astype(np.float64)
    plain[0] = 0
    if plain.sum() == 0:
        return 1.0
    edges = range(LEVELS, BINS + 1, LEVELS // 8)
    divergences = [_divergence(plain, edge) for edge in edges]
    return edges[int(np.argmin(divergences))] / BINS


def _divergence(counts: NDArray[np.float64], edge: int) -> float:
    real = counts[:edge].copy()
    rounded = _rounded(counts[:edge])
    real[-1] += counts[edge:].sum()
    p, q = real / real.sum(), rounded / max(rounded.sum(), 1e-12)
    filled = p > 0
    return float(np.sum(p[filled] * np.log(p[filled] / np.maximum(q[filled], 1e-12))))


def _rounded(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """What ``LEVELS`` levels leave of the distribution: each one's count spread over its filled bins."""
    level = np.arange(len(counts)) * LEVELS // len(counts)
    filled = counts > 0
    sums = np.bincount(level, counts, LEVELS)
    widths = np.bincount(level, filled, LEVELS)
    share = np.divide(sums, widths, out=np.zeros(LEVELS), where=widths > 0)
    return np.where(filled, share[level], 0.0)
