"""OpenVINO's CPU plugin as a backend of its own: encoder and decoder.

Its INT8 convolutions are the fastest that are known here; its sine is slow, so the native decoder behind its
encoder is the faster pair wherever that is built.
"""

from __future__ import annotations

from importlib.util import find_spec
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.base import CpuRunner, RunnerConfig
from edge_sr.backends.openvino.core import process_core
from edge_sr.backends.openvino.encoder import HINTS, OpenVinoEncoder, has_bf16, refused
from edge_sr.backends.sampling import TileSampler, require_own
from edge_sr.backends.tiles import decoder_strips
from edge_sr.bundle import Bundle
from edge_sr.grid import SamplingGrid
from edge_sr.kinds import Precision
from edge_sr.tensors import Image

# A tile runs on all threads at once, so it holds more than one core's cache would like.
TILE_PIXELS = 16384


def unavailable_reason() -> str | None:
    """What is missing here, in a line, or None."""
    if find_spec("openvino") is None:
        return "OpenVINO is not installed: pip install 'edge-sr[openvino]'"
    return None


def takes(bundle: Bundle) -> bool:
    """Whether the bundle is one graph, or has the decoder without gathers, the one that runs in tiles here."""
    return any(bundle.find(role, "fp32") is not None for role in ("network", "decoder-sampled"))


def lowers() -> tuple[Precision, ...]:
    """What OpenVINO computes by itself from float32 graphs on this processor."""
    return ("bf16",) if has_bf16() else ()


class OpenVinoRunner(CpuRunner):
    """Both graphs on all threads; the decoder in float32, for its sines' sake.

    ``bf16`` computes the fp32 encoder in bfloat16; so is what a calibrated encoder keeps out of INT8, where the
    processor can.
    Float16 is not offered: a processor gains nothing by it, and OpenVINO would compute it in float32 or bfloat16.
    Raises ``MissingError`` without OpenVINO, ``BundleError`` for graphs that are absent or that it refuses.
    """

    backend = encoder_backend = "openvino"

    def __init__(self, config: RunnerConfig) -> None:
        self.precision = config.precision
        self._encoder = OpenVinoEncoder(config.file("encoder"), config.precision, config.threads)
        self._graph = config.require("decoder-sampled")
        self._decoder = _Decoder(config)

    def encode(self, image: Image) -> NDArray[Any]:
        return self._encoder.encode(image)

    def decode(self, maps: NDArray[Any], image: Image, grid: SamplingGrid) -> Image:
        require_own(maps, image, self._graph)
        frame = np.empty((1, grid.height, grid.width, 3), image.dtype)
        sampler = TileSampler(maps, image)
        for tile in chain.from_iterable(decoder_strips(grid, TILE_PIXELS)):
            tile.place(self._decoder.run(sampler, tile.grid), frame)
        return frame

    def close(self) -> None:
        """Nothing outlives a call; the compiled graphs go with the object."""


class _Decoder:
    """The decoder without gathers, compiled once for tiles of any size."""

    def __init__(self, config: RunnerConfig) -> None:
        path = config.file("decoder-sampled")
        options = {
            "INFERENCE_NUM_THREADS": config.threads,
            "INFERENCE_PRECISION_HINT": HINTS["fp32"],
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            self._compiled = process_core().compile_model(path, "CPU", options)
            self._request = self._compiled.create_infer_request()
        except RuntimeError as error:
            raise refused(path, error) from error
        self._inputs = [port.get_any_name() for port in self._compiled.inputs]

    def run(self, sampler: TileSampler, grid: SamplingGrid) -> NDArray[Any]:
        """``1 x Ht x Wt x 3``, valid until the next call."""
        self._request.infer(sampler.feeds(self._inputs, grid), share_inputs=True, share_outputs=True)
        frame: NDArray[Any] = self._request.get_output_tensor(0).data
        return frame
