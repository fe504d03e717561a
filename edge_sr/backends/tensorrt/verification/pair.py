"""Encoder and decoder engines, verified in the very tiles that a film is cut into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.base import OpenRunner, Result, RunnerConfig
from edge_sr.backends.cuda.driver.protocol import Driver
from edge_sr.backends.onnxruntime.runner import OnnxRunner
from edge_sr.backends.tensorrt.memory import DeviceMaps
from edge_sr.backends.tensorrt.runner import TensorRTRunner
from edge_sr.backends.tensorrt.verification.verified import (
    Engines,
    VerificationRun,
    Verified,
    built_in_picture,
    corners,
    flattened,
    trial,
    verifying_first,
)
from edge_sr.engines.store.identity import Shape
from edge_sr.engines.store.shapes import shape_text
from edge_sr.grid import SamplingGrid
from edge_sr.plan import Plan
from edge_sr.sizes import Box
from edge_sr.tensors import Frame, Image


class VerifiedRunner(Verified[TensorRTRunner], OpenRunner):
    """A ``TensorRTRunner`` that verifies its engines."""

    whole_frames = True

    def __init__(self, inner: TensorRTRunner, engines: Engines, driver: Driver) -> None:
        super().__init__(inner, engines, driver)
        inner.reshaped = self._verify_at
        self.encoder_backend, self.precision = inner.backend, inner.precision

    def encode(self, image: Image) -> DeviceMaps:
        """Nothing is seen of maps, so they are verified with the first picture that is decoded from them."""
        self._open_for(image.shape)
        return self._inner.encode(image)

    def decode(self, maps: DeviceMaps, image: Image, grid: SamplingGrid) -> Image:
        self._verify_at(image.shape, grid)
        return self._inner.decode(maps, image, grid)

    def stream(self, frames: Iterable[Frame], plan: Plan) -> Iterator[Result]:
        """As ``TensorRTRunner.stream``."""
        verified = verifying_first(frames, lambda image: self._verify_at(image, plan.grid))
        return self._inner.stream(verified, plan)

    def _verify_at(self, image: Shape, grid: SamplingGrid) -> None:
        self._verify_all(image, lambda: self._shapes(image, grid), lambda: self._try_engines(image, grid))

    def _shapes(self, image: Shape, grid: SamplingGrid) -> str:
        height, width = self._inner.tile_of(image, grid)
        return f"{shape_text(image)} in tiles of {width}x{height}"

    def _try_engines(self, image: Shape, grid: SamplingGrid) -> VerificationRun:
        """The whole grid on the device as a film's frame goes there, and its first and last corner on the CPU."""
        config = self._engines.config
        picture, halo = built_in_picture(image, config.sample_type), config.bundle.description.halo
        looked_at = corners(grid.height - 2 * halo, grid.width - 2 * halo)

        def on_device() -> NDArray[Any]:
            plan = Plan(grid.input_size, grid.output_size, Box(0, 0, grid.width, grid.height), grid, ())
            (result,) = self._inner.stream(picture, plan)
            return flattened([result.frame[rows, cols] for rows, cols in looked_at])

        def on_cpu() -> NDArray[Any]:
            parts = (grid.part(_with_halo(rows, halo), _with_halo(cols, halo)) for rows, cols in looked_at)
            return flattened([_on_cpu(config, picture, part) for part in parts])

        return trial(on_device, on_cpu, lambda: self._shapes(image, grid))


def _with_halo(span: slice, halo: int) -> slice:
    return slice(span.start, span.stop + 2 * halo)


def _on_cpu(config: RunnerConfig, picture: Image, grid: SamplingGrid) -> Image:
    """The FP32 graphs' result, from as much of the picture as this part depends on."""
    reach = config.bundle.description.radius + 2
    top, left = (max(0, int(index.min()) - reach) for index in (grid.rows, grid.cols))
    bottom, right = (int(index.max()) + 1 + reach for index in (grid.rows, grid.cols))
    part = np.ascontiguousarray(picture[:, top:bottom, left:right])
    with closing(OnnxRunner(RunnerConfig(config.bundle, "fp32", config.sample_type))) as cpu:
        return cpu.decode(cpu.encode(part), part, grid.shifted(top, left))
