"""The whole of a calibration: frames, ranges, the search, the graphs, and the bundle that holds them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edge_sr.calibration.clipping import clip_ranges
from edge_sr.calibration.equalise import Factors, channel_limits, find_factors
from edge_sr.calibration.frames import Frames, Sample, choose_frames
from edge_sr.calibration.layers import GraphMap
from edge_sr.calibration.levels import PLACEMENTS, Range, weight_scales
from edge_sr.calibration.memo import Memo
from edge_sr.calibration.ranges import Histogram, Probe, limits, ranges_by
from edge_sr.calibration.recipe import Recipe
from edge_sr.calibration.search import Bench, Candidate, Search
from edge_sr.calibration.sources import read_originals
from edge_sr.calibration.table import SCHEMA, FrameEntry, PlacementEntry, ScaleTable, graph_hashes
from edge_sr.calibration.trial import Picture, Trial
from edge_sr.calibration.write import write_bundle
from edge_sr.errors import ConfigError, EdgeSRError
from edge_sr.manifest import Bundle
from edge_sr.runtime.runner import available_cores

Say = Callable[[str], None]
LAST_LAYER = "synthesis.last_layer"  # makes the output, which stays float
CLIPPING_FRAMES = 16  # the last: most of them built in
Encoded = tuple[
    Picture, tuple[int, ...], NDArray[Any], dict[str, NDArray[Any]]
]  # low, output shape, maps, points
DECODER_WORK = 4  # output pixels for each LR pixel at twice the size


@dataclasses.dataclass(frozen=True)
class Request:
    """What to calibrate: ``table`` is one to use again, ``memo`` where the search keeps what it measured."""

    bundle: Bundle
    frames: tuple[Path, ...]
    recipe: Recipe
    out: Path
    memo: Path
    resume: bool = False
    overwrite: bool = False
    table: ScaleTable | None = None


@dataclasses.dataclass(frozen=True)
class Calibrated:
    """The bundle written, its table, and which frames were used."""

    bundle: Bundle
    table: ScaleTable
    frames: Frames


def calibrate(request: Request, say: Say) -> Calibrated:
    """Calibrate and write the bundle; on failure nothing is written, and an interruption leaves the memo.

    Raises ``BudgetError`` when no assignment meets the budget, ``BundleError`` for a bundle without FP32
    graphs, and what reading the frames raises.
    """
    graph_hashes(request.bundle)
    if request.table is not None:
        request.table.check_belongs_to(request.bundle)
    frames = choose_frames(read_originals(request.frames), request.recipe)
    say(frames.summary())
    memo = Memo(request.memo, _key(request, frames), resume=request.resume)
    if request.resume:
        say(f"going on with {len(memo)} results" if len(memo) else "nothing to go on from: beginning anew")
    try:
        table = _Calibration(request, frames, memo, say).table()
        bundle = write_bundle(request.bundle, table, request.out, overwrite=request.overwrite)
    except EdgeSRError:
        memo.remove()  # the same search would fail again; only one that was interrupted is worth going on with
        raise
    memo.remove()
    return Calibrated(bundle, table, frames)


def _key(request: Request, frames: Frames) -> str:
    parts = [*graph_hashes(request.bundle), json.dumps(dataclasses.asdict(request.recipe)), frames.digest()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class _Calibration:
    """One run of it, with the bundle's graphs loaded."""

    def __init__(self, request: Request, frames: Frames, memo: Memo, say: Say) -> None:
        self.request, self.frames, self.memo, self.say = request, frames, memo, say
        self.recipe = request.recipe
        self.threads = available_cores()
        plain = onnx.load(request.bundle.graph("encoder", "fp32"))
        self.trial = self._trial(frames.price, self.recipe.exact_scales, self._factors(plain))
        self.encoder = GraphMap(self.trial.encoder)
        self.decoder = GraphMap(self.trial.decoder)
        self._check_keep()

    def _trial(self, frames: Sequence[Sample], scales: Sequence[Fraction], factors: Factors) -> Trial:
        return Trial(self.request.bundle, frames, scales, factors, self.recipe.residual)

    def table(self) -> ScaleTable:
        reused = self.request.table
        ranges = self._ranges() if reused is None else reused.ranges
        placements = {name: self._placement(name, ranges) for name in PLACEMENTS}
        encoder_sha256, decoder_sha256 = graph_hashes(self.request.bundle)
        return ScaleTable(
            schema=SCHEMA,
            bundle=self.request.bundle.name,
            version=self.request.bundle.description.version,
            encoder_sha256=encoder_sha256,
            decoder_sha256=decoder_sha256,
            recipe=self.recipe,
            frames=tuple(_entries(self.frames)),
            factors=self.trial.factors,
            ranges=ranges,
            weights=self._weights(),
            placements=placements,
        )

    def _check_keep(self) -> None:
        known = {**self.encoder.layers, **self.decoder.layers}
        for name in self.recipe.keep:
            if name not in known:
                raise ConfigError(f"keep names {name!r}, no layer of this network: {', '.join(known)}")

    def _candidates(self, placement: str) -> list[Candidate]:
        """TensorRT may quantise the decoder too; on a CPU its sines cost more than its products would."""
        parts = [(self.encoder, 1)] if "encoder" in self.recipe.parts else []
        if "decoder" in self.recipe.parts and placement == "int8":
            parts.append((self.decoder, DECODER_WORK))
        kept = {*self.recipe.keep, LAST_LAYER}
        return [
            Candidate(name, factor * int(np.prod(layer.weight.dims)))
            for part, factor in parts
            for name, layer in part.layers.items()
            if name not in kept
        ]

    def _factors(self, encoder: onnx.ModelProto) -> dict[str, tuple[float, ...]]:
        if self.request.table is not None:
            return self.request.table.factors
        if not self.recipe.equalise:
            return {}
        seen = (tensors for _, _, _, tensors in self._encoded(encoder))
        return find_factors(encoder, channel_limits(seen))

    def _ranges(self) -> dict[str, Range]:
        histograms = self._histograms()
        ranges = ranges_by(self.recipe.method, histograms, self.recipe.percentile)
        if self.recipe.method != "mse":
            return ranges
        frames = self.frames.ranges[-CLIPPING_FRAMES:]
        trial = self._trial(frames, (Fraction(2),), self.trial.factors)
        layers = [candidate.name for candidate in self._candidates("int8-cpu")]
        return clip_ranges(trial, ranges, layers, self.memo, self.say)

    def _histograms(self) -> dict[str, Histogram]:
        found = limits(self._activations())
        if self.recipe.method in ("percentile", "entropy"):
            for tensors in self._activations():
                for point, values in tensors.items():
                    found[point].add(values)
        return found

    def _activations(self) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Every point's values, frame by frame."""
        decoder = Probe(self.trial.decoder, self.threads) if "decoder" in self.recipe.parts else None
        for low, shape, maps, tensors in self._encoded(self.trial.encoder):
            yield tensors
            if decoder is not None:
                yield decoder.run(self.trial.whole_feeds(maps, low, shape))[1]

    def _encoded(self, model: onnx.ModelProto) -> Iterator[Encoded]:
        """The frames through the encoder, at one scale after the other in turn."""
        probe = Probe(model, self.threads)
        scales = self.recipe.exact_scales
        for i, frame in enumerate(self.frames.ranges):
            low, high = frame.pair(scales[i % len(scales)])
            yield low, high.shape, *probe.run({"image": low[None]})
            if frame.drawn:
                # Crisp as it is, as screens and drawings are that nobody has shrunk.
                yield high, high.shape, *probe.run({"image": high[None]})

    def _weights(self) -> dict[str, tuple[float, ...]]:
        layers = {**self.encoder.layers, **self.decoder.layers}
        names = sorted({entry.name for name in PLACEMENTS for entry in self._candidates(name)})
        return {name: tuple(float(scale) for scale in weight_scales(layers[name].values)) for name in names}

    def _placement(self, name: str, ranges: dict[str, Range]) -> PlacementEntry:
        bench = Bench(self.trial, ranges, name, self.memo)
        candidates = self._candidates(name)
        if self.request.table is not None and name in self.request.table.placements:
            return self.request.table.placements[name]
        search = Search(bench, candidates, self.recipe.budget, self.recipe.least_share, self.say)
        layers = search.run()
        return self._entry(bench, layers, search)

    def _entry(self, bench: Bench, layers: Sequence[str], search: Search) -> PlacementEntry:
        pictures = bench.pictures(layers)
        price = self.trial.price(pictures)
        psnr_db, levels = self.trial.distance(pictures)
        self.say(f"{bench.placement}: {len(layers)} of {len(search.work)} layers: {price}")
        return PlacementEntry(
            layers=tuple(layers),
            high_precision=tuple(name for name in search.work if name not in layers),
            mean_db=round(price.mean_db, 5),
            worst_db=round(price.worst_db, 5),
            worst=price.worst,
            psnr_db=round(psnr_db, 3),
            levels=levels,
            sensitivity=search.sensitivity,
        )


def _entries(frames: Frames) -> Iterator[FrameEntry]:
    samples: list[tuple[Sample, str]] = [(sample, "ranges") for sample in frames.ranges]
    samples += [(sample, "price") for sample in frames.price]
    for sample, use in samples:
        yield FrameEntry(sample.name, sample.sha256, use)
