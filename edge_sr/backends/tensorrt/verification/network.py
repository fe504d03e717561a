"""The engine of a network of one graph, verified in the very windows that pictures are cut into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.base import Result, RunnerConfig
from edge_sr.backends.cuda.driver.protocol import Driver
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.tensorrt.network import TensorRTNetwork
from edge_sr.backends.tensorrt.verification.verified import (
    CORNER_SIDE,
    Corner,
    Engines,
    VerificationRun,
    Verified,
    built_in_picture,
    corners,
    flattened,
    trial,
    verifying_first,
)
from edge_sr.bundle import Bundle
from edge_sr.engines.store.identity import Shape
from edge_sr.engines.store.shapes import shape_text
from edge_sr.tensors import Frame, Image


class VerifiedNetwork(Verified[TensorRTNetwork]):
    """A ``TensorRTNetwork`` that verifies its engine."""

    def __init__(self, inner: TensorRTNetwork, engines: Engines, driver: Driver) -> None:
        super().__init__(inner, engines, driver)
        inner.reshaped = self._verify_at

    def encode(self, image: Image) -> Image:
        self._verify_at(image.shape)
        return self._inner.encode(image)

    def stream(self, frames: Iterable[Frame]) -> Iterator[Result]:
        """As ``TensorRTNetwork.stream``."""
        return self._inner.stream(verifying_first(frames, self._verify_at))

    def _verify_at(self, image: Shape) -> None:
        self._verify_all(
            image,
            lambda: shape_text(self._inner.window_for(image)),
            lambda: self._try_engine(self._inner.window_for(image)),
        )

    def _try_engine(self, window: Shape) -> VerificationRun:
        """A whole window on the device, and on the CPU its first and its last corner."""
        config = self._engines.config
        picture, scale = built_in_picture(window, config.sample_type), config.bundle.description.scale
        looked_at = corners(window[1], window[2], -(-CORNER_SIDE // scale))

        def on_device() -> NDArray[Any]:
            frame = self._inner.encode(picture)[0]
            return flattened([frame[_scaled(rows, scale), _scaled(cols, scale)] for rows, cols in looked_at])

        def on_cpu() -> NDArray[Any]:
            network = OnnxEncoder(RunnerConfig(config.bundle, "fp32", config.sample_type), "network")
            return flattened([_on_cpu(network, config.bundle, picture, corner) for corner in looked_at])

        return trial(on_device, on_cpu, lambda: shape_text(self._inner.window_for(window)))


def _scaled(span: slice, scale: int) -> slice:
    return slice(scale * span.start, scale * span.stop)


def _on_cpu(network: OnnxEncoder, bundle: Bundle, picture: Image, corner: Corner) -> Image:
    """The result for one corner, from as much of the picture as it depends on."""
    description = bundle.description
    spans = [
        _widened(span, picture.shape[axis], None if description.whole_frames else description.radius)
        for axis, span in enumerate(corner, 1)
    ]
    part = np.ascontiguousarray(picture[:, spans[0], spans[1]])
    rows, cols = (
        slice(description.scale * (span.start - wide.start), description.scale * (span.stop - wide.start))
        for span, wide in zip(corner, spans, strict=True)
    )
    return network.encode(part)[:, rows, cols]


def _widened(span: slice, length: int, reach: int | None) -> slice:
    if reach is None:
        return slice(0, length)
    return slice(max(0, span.start - reach), min(length, span.stop + reach))
