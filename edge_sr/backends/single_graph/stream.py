"""Frames of networks from picture to picture, with the next ones on the device meanwhile."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator

from edge_sr.backends.base import DeviceNetwork, OpenRunner, Result
from edge_sr.backends.single_graph.runner import AroundNetwork
from edge_sr.grid import SamplingGrid
from edge_sr.plan import Plan
from edge_sr.tensors import Frame, Image


class SingleGraphStream(OpenRunner):
    """A runner around one whose network is a device's.

    The times of its frames are the device's for the network, and as ``decoder_ms`` what resampling took on the CPU.
    """

    whole_frames = True

    def __init__(self, inner: AroundNetwork, network: DeviceNetwork) -> None:
        self.backend, self.encoder_backend, self.precision = inner.backend, inner.backend, inner.precision
        self._network, self._around = network, inner

    @property
    def device_bytes(self) -> int:
        """GPU memory that is taken now, engines included."""
        return self._network.device_bytes

    def encode(self, image: Image) -> Image:
        encoded: Image = self._around.encode(image)
        return encoded

    def decode(self, maps: Image, image: Image, grid: SamplingGrid) -> Image:
        return self._around.decode(maps, image, grid)

    def stream(self, frames: Iterable[Frame], plan: Plan) -> Iterator[Result]:
        """Each frame upscaled, in order; ``ShapeError`` unless all have the first one's shape."""
        given = (self._around.given(frame[None], plan.grid)[0] for frame in frames)
        for result in self._network.stream(given):
            began = time.perf_counter()
            frame = self._around.made(result.frame[None], plan.grid)[0]
            spent = 1000 * (time.perf_counter() - began)
            yield Result(frame, dataclasses.replace(result.times, decoder_ms=spent))

    def close(self) -> None:
        self._around.close()
        self._network.close()
