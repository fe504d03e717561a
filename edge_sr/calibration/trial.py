"""A pair of graphs tried on frames: the pictures it makes, and what they lose against FP32's."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edge_sr.calibration.equalise import Factors, equalised
from edge_sr.calibration.frames import Sample
from edge_sr.calibration.layers import GraphMap
from edge_sr.grid import SamplingGrid, sampling_grid
from edge_sr.manifest import Bundle
from edge_sr.optional import require
from edge_sr.quality import psnr, psnr_y
from edge_sr.runtime.runner import available_cores
from edge_sr.runtime.sampling import bilinear_base, sample_maps
from edge_sr.runtime.tiles import decoder_tiles

Picture = NDArray[np.uint8]

# A picture equal to its original has no PSNR; this is beyond what 8 bits can show.
MOST_DB = 100.0


@dataclasses.dataclass(frozen=True)
class Price:
    """dB of ``psnr_y`` lost against FP32: the mean, the worst frame and scale, and which that was."""

    mean_db: float
    worst_db: float
    worst: str = ""

    def __str__(self) -> str:
        return f"{self.mean_db:+.4f} dB, worst {self.worst_db:+.4f} dB ({self.worst})"


def open_graph(model: onnx.ModelProto, threads: int, *, simulate: bool = True) -> Any:
    """A session on the CPU. Simulated, Q/DQ pairs round in float32 and no integer kernel replaces them."""
    ort = require("onnxruntime", "edge-sr calibrate")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if simulate:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


@dataclasses.dataclass(frozen=True)
class _Case:
    name: str
    scale: Fraction
    low: Picture
    high: Picture


class Trial:
    """Frames at scales, and the bundle's FP32 graphs to hold others against.

    ``encoder`` and ``decoder`` are those graphs, the encoder equalised by ``factors``; the decoder is the one
    without gathers where the bundle has it.
    """

    def __init__(
        self,
        bundle: Bundle,
        frames: Sequence[Sample],
        scales: Sequence[Fraction],
        factors: Factors,
        residual: str = "float",
    ) -> None:
        self.factors = dict(factors)
        self.residual = residual
        self.encoder = equalised(onnx.load(bundle.graph("encoder", "fp32")), factors)
        self.sampled = bundle.find("decoder-sampled", "fp32") is not None
        self.decoder = onnx.load(bundle.graph("decoder-sampled" if self.sampled else "decoder", "fp32"))
        self.decoder_layers = frozenset(GraphMap(self.decoder).layers)
        self._halo = bundle.description.halo
        self._threads = available_cores()
        self._cases = [_Case(frame.name, scale, *frame.pair(scale)) for scale in scales for frame in frames]
        self._inputs = {value.name for value in self.decoder.graph.input}
        self._exact = open_graph(self.decoder, self._threads)
        self.reference = list(self.pictures(self.encoder, None))
        self._reference_db = self._qualities(self.reference)

    def pictures(
        self, encoder: onnx.ModelProto, decoder: onnx.ModelProto | None, *, simulate: bool = True
    ) -> Iterator[Picture]:
        """What the pair makes of every frame at every scale; without a decoder, FP32's."""
        encode = open_graph(encoder, self._threads, simulate=simulate)
        decode = self._exact
        if decoder is not None:
            decode = open_graph(decoder, self._threads, simulate=simulate)
        for case in self._cases:
            maps = encode.run(None, {"image": case.low[None]})[0]
            yield self._decode(decode, maps.astype(np.float32, copy=False), case)

    def price(self, pictures: Sequence[Picture]) -> Price:
        """What the pictures lose against FP32's, both held against the originals."""
        lost = self._reference_db - self._qualities(pictures)
        worst = int(lost.argmax())
        name = f"{self._cases[worst].name} x{float(self._cases[worst].scale):g}"
        return Price(float(lost.mean()), float(lost[worst]), name)

    def distance(self, pictures: Sequence[Picture]) -> tuple[float, int]:
        """Lowest PSNR over RGB against FP32's pictures in dB, and the largest difference in levels."""
        pairs = list(zip(pictures, self.reference, strict=True))
        levels = max(int(np.abs(a.astype(int) - b).max()) for a, b in pairs)
        return min(min(psnr(a, b), MOST_DB) for a, b in pairs), levels

    def errors(self, pictures: Sequence[Picture]) -> list[float]:
        """Each picture's mean squared difference from FP32's, in squared levels."""
        pairs = zip(pictures, self.reference, strict=True)
        return [float(np.mean((a.astype(np.float64) - b) ** 2)) for a, b in pairs]

    def _qualities(self, pictures: Sequence[Picture]) -> NDArray[np.float64]:
        pairs = zip(pictures, self._cases, strict=True)
        return np.array([min(psnr_y(picture, case.high, case.scale), MOST_DB) for picture, case in pairs])

    def whole_feeds(
        self, maps: NDArray[np.float32], low: Picture, shape: tuple[int, ...]
    ) -> dict[str, NDArray[Any]]:
        """The decoder's inputs for a whole picture of ``shape`` in one piece."""
        grid = sampling_grid(low.shape[1::-1], (shape[1], shape[0]), halo=self._halo)
        if not self.sampled:
            return self._given({"maps": maps, "image": low[None]}, grid)
        return self._sampled_feeds(maps, low, grid)

    def _decode(self, session: Any, maps: NDArray[np.float32], case: _Case) -> Picture:
        if not self.sampled:
            whole: Picture = session.run(None, self.whole_feeds(maps, case.low, case.high.shape))[0][0]
            return whole
        picture = np.empty((*case.high.shape[:2], 3), np.uint8)
        grid = sampling_grid(case.low.shape[1::-1], case.high.shape[1::-1])
        for tile in decoder_tiles(grid):
            picture[tile.y, tile.x] = session.run(None, self._sampled_feeds(maps, case.low, tile.grid))[0][0]
        return picture

    def _sampled_feeds(
        self, maps: NDArray[np.float32], low: Picture, grid: SamplingGrid
    ) -> dict[str, NDArray[Any]]:
        feeds: dict[str, NDArray[Any]] = {"maps": sample_maps(maps, grid.rows, grid.cols)}
        if "base" in self._inputs:
            feeds["base"] = bilinear_base(low[None], grid)
        return self._given(feeds, grid)

    def _given(self, feeds: dict[str, NDArray[Any]], grid: SamplingGrid) -> dict[str, NDArray[Any]]:
        given = {name: feeds[name] if name in feeds else getattr(grid, name) for name in self._inputs}
        return {name: np.ascontiguousarray(value) for name, value in given.items()}
