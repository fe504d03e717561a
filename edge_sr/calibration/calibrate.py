"""The whole of a calibration: frames, ranges, the search, the graphs, and the bundle that holds them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.registry import AROUND_NETWORKS
from edge_sr.bundle import Bundle
from edge_sr.calibration.frames.selection import Frames, Sample, choose_frames
from edge_sr.calibration.frames.sources import read_references
from edge_sr.calibration.graph.layers import GraphMap
from edge_sr.calibration.graph.network import ReferenceNetwork
from edge_sr.calibration.graph.pair import ReferencePair
from edge_sr.calibration.graph.write import write_bundle
from edge_sr.calibration.losses import measure_losses, with_losses
from edge_sr.calibration.ranges.clipping import clip_ranges
from edge_sr.calibration.ranges.equalise import channel_limits, equalised, find_factors
from edge_sr.calibration.ranges.levels import QDQ_SCHEMES, Range, weight_scales
from edge_sr.calibration.ranges.methods import Histogram, limits, ranges_by
from edge_sr.calibration.recipe import KEEP, Recipe
from edge_sr.calibration.search.cache import SearchCache
from edge_sr.calibration.search.search import Bench, QuantisableLayer, Search
from edge_sr.calibration.search.trial import Sight, Subject, Tensors, Trial
from edge_sr.calibration.table import SCHEMA, FrameEntry, ScaleTable, SchemeEntry, graph_hashes
from edge_sr.errors import ConfigError, InputError

Say = Callable[[str], None]
CLIPPING_FRAMES = 16  # the last: most of them built in
CLIPPING_SCALE = 2  # unless the network enlarges by more itself


@dataclasses.dataclass(frozen=True)
class CalibrationRequest:
    """What to calibrate: ``table`` is one to use again, ``cache`` where the search keeps what it measured."""

    bundle: Bundle
    frames: tuple[Path, ...]
    recipe: Recipe
    out: Path
    cache: Path
    resume: bool = False
    overwrite: bool = False
    table: ScaleTable | None = None


@dataclasses.dataclass(frozen=True)
class Calibrated:
    """The bundle written, its table, and which frames were used."""

    bundle: Bundle
    table: ScaleTable
    frames: Frames


def calibrate(request: CalibrationRequest, say: Say) -> Calibrated:
    """Calibrate and write the bundle; on failure nothing is written, and an interruption leaves the cache.

    Raises ``BudgetError`` when no assignment meets the budget, ``BundleError`` for a bundle without FP32
    graphs or with nothing to quantise, and what reading the frames raises.
    """
    graph_hashes(request.bundle)
    request = dataclasses.replace(request, recipe=request.recipe.settled(request.bundle.description.scale))
    subject = subject_of(request.bundle)
    if request.table is not None:
        request.table.check_belongs_to(request.bundle)
    frames = choose_frames(read_references(request.frames), request.recipe)
    say(frames.summary())
    cache = SearchCache(request.cache, _key(request, frames), resume=request.resume)
    if request.resume:
        say(f"going on with {len(cache)} results" if len(cache) else "nothing to go on from: beginning anew")
    try:
        table = _Calibration(request, subject, frames, cache, say).table()
        source = _with_losses(request, subject, frames, say)
        bundle = write_bundle(source, table, request.out, overwrite=request.overwrite)
    except InputError:
        cache.remove()  # the same search would fail again; one that was interrupted, or found no room, would not
        raise
    cache.remove()
    return Calibrated(bundle, table, frames)


def _with_losses(request: CalibrationRequest, subject: Subject, frames: Frames, say: Say) -> Bundle:
    """The bundle, stating what its other precisions lose on the frames that INT8's loss is measured on."""
    trial = Trial(subject, subject.models, frames.held_out, request.recipe.exact_scales)
    losses = measure_losses(request.bundle, trial, say)
    return dataclasses.replace(request.bundle, description=with_losses(request.bundle.description, losses))


def _key(request: CalibrationRequest, frames: Frames) -> str:
    parts = [*graph_hashes(request.bundle), json.dumps(dataclasses.asdict(request.recipe)), frames.digest()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def subject_of(bundle: Bundle) -> Subject:
    """What calibration rounds of the bundle; ``BundleError`` for a network that has nothing to round."""
    return ReferenceNetwork(bundle) if bundle.kind in AROUND_NETWORKS else ReferencePair(bundle)


class _Calibration:
    """One run of it, with the bundle's graphs loaded."""

    def __init__(
        self, request: CalibrationRequest, subject: Subject, frames: Frames, cache: SearchCache, say: Say
    ) -> None:
        self.request, self.subject, self.frames = request, subject, frames
        self.cache, self.say = cache, say
        self.recipe = request.recipe
        self.own = request.bundle.description.scale
        self.factors = self._factors()
        plain, main = self.subject.models, self.subject.main
        self.models = {**plain, main: equalised(plain[main], self.factors)}
        self.trial = self._trial(frames.held_out, self.recipe.exact_scales)
        graphs = [GraphMap(model) for model in self.models.values()]
        self.layers = {name: layer for graph in graphs for name, layer in graph.layers.items()}
        self._check_keep()

    def _trial(self, frames: Sequence[Sample], scales: Sequence[Fraction]) -> Trial:
        return Trial(self.subject, self.models, frames, scales, self.recipe.residual)

    def table(self) -> ScaleTable:
        reused = self.request.table
        ranges = self._ranges() if reused is None else reused.ranges
        placements = {name: self._scheme(name, ranges) for name in QDQ_SCHEMES}
        encoder_sha256, decoder_sha256 = graph_hashes(self.request.bundle)
        return ScaleTable(
            schema=SCHEMA,
            bundle=self.request.bundle.name,
            version=self.request.bundle.description.version,
            encoder_sha256=encoder_sha256,
            decoder_sha256=decoder_sha256,
            recipe=self.recipe,
            frames=tuple(_entries(self.frames)),
            factors=self.factors,
            ranges=ranges,
            weights=self._weights(),
            placements=placements,
        )

    def _check_keep(self) -> None:
        """What is kept by default is a layer of the project's own networks, and need not be there."""
        for name in self.recipe.keep:
            if name not in self.layers and name not in KEEP:
                raise ConfigError(f"keep names {name!r}, no layer of this network: {', '.join(self.layers)}")

    def _candidates(self, scheme: str) -> list[QuantisableLayer]:
        work = self.subject.work(scheme, self.recipe)
        return [QuantisableLayer(name, work[name]) for name in work if name not in self.recipe.keep]

    def _factors(self) -> dict[str, tuple[float, ...]]:
        if self.request.table is not None:
            return self.request.table.factors
        if not self.recipe.equalise:
            return {}
        models, main = self.subject.models, self.subject.main
        seen = self.subject.activations(models, (main,), self._sights())
        return find_factors(models[main], channel_limits(seen))

    def _ranges(self) -> dict[str, Range]:
        histograms = self._histograms()
        ranges = ranges_by(self.recipe.method, histograms, self.recipe.percentile)
        if self.recipe.method != "mse":
            return ranges
        frames = self.frames.ranges[-CLIPPING_FRAMES:]
        trial = self._trial(frames, (Fraction(max(CLIPPING_SCALE, self.own)),))
        layers = [candidate.name for candidate in self._candidates("int8-cpu")]
        return clip_ranges(trial, ranges, layers, self.cache, self.say)

    def _histograms(self) -> dict[str, Histogram]:
        found = limits(self._activations())
        if self.recipe.method in ("percentile", "entropy"):
            for tensors in self._activations():
                for point, values in tensors.items():
                    found[point].add(values)
        return found

    def _activations(self) -> Iterator[Tensors]:
        """Every point's values, frame by frame."""
        return self.subject.activations(self.models, self.recipe.parts, self._sights())

    def _sights(self) -> Iterator[Sight]:
        """The frames that give ranges, at one scale after the other in turn."""
        scales = self.recipe.exact_scales
        for i, frame in enumerate(self.frames.ranges):
            low, high = frame.pair(scales[i % len(scales)])
            yield low, high.shape
            if frame.synthetic:
                # Crisp as it is, as screens and drawings are that nobody has shrunk.
                yield _crisp(high, self.own)

    def _weights(self) -> dict[str, tuple[float, ...]]:
        names = sorted({entry.name for name in QDQ_SCHEMES for entry in self._candidates(name)})
        return {
            name: tuple(float(scale) for scale in weight_scales(self.layers[name].values)) for name in names
        }

    def _scheme(self, name: str, ranges: dict[str, Range]) -> SchemeEntry:
        bench = Bench(self.trial, ranges, name, self.cache)
        search = Search(bench, self._candidates(name), self.recipe.budget, self.recipe.least_share, self.say)
        reused = self.request.table
        earlier = None if reused is None else reused.placements.get(name)
        layers = search.run() if earlier is None else search.again(earlier)
        return self._entry(bench, layers, search)

    def _entry(self, bench: Bench, layers: Sequence[str], search: Search) -> SchemeEntry:
        pictures = bench.pictures(layers)
        loss = self.trial.loss(pictures)
        self.say(f"{bench.scheme}: {len(layers)} of {len(search.work)} layers: {loss}")
        return SchemeEntry(
            layers=tuple(layers),
            high_precision=tuple(name for name in search.work if name not in layers),
            sensitivity=search.sensitivity,
            **self.trial.figures(loss, pictures),
        )


def _crisp(high: NDArray[np.uint8], own: int) -> Sight:
    """The picture, or of one for a network that enlarges ``own`` times so much that the result is no larger."""
    height, width = (side // own for side in high.shape[:2])
    top, left = (high.shape[0] - height) // 2, (high.shape[1] - width) // 2
    part = np.ascontiguousarray(high[top : top + height, left : left + width])
    return part, (own * height, own * width, 3)


def _entries(frames: Frames) -> Iterator[FrameEntry]:
    samples: list[tuple[Sample, str]] = [(sample, "ranges") for sample in frames.ranges]
    samples += [(sample, "loss") for sample in frames.held_out]
    for sample, use in samples:
        yield FrameEntry(sample.name, sample.sha256, use)
