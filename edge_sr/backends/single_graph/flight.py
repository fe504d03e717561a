"""Frames of networks from picture to picture, with the next ones on the device meanwhile."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator
from typing import Any

from numpy.typing import NDArray

from edge_sr.backends.base import ClosingRunner, DeviceNetwork, PartTimes
from edge_sr.backends.single_graph.runner import AroundNetwork
from edge_sr.grid import SamplingGrid


class PictureFlight(ClosingRunner):
    """A ``FlightRunner`` around a picture runner whose network is a device's.

    ``times``: the device's for the network, and as ``decoder_ms`` what resampling its result took on the CPU.
    """

    whole_frames = True
    times = PartTimes()

    def __init__(self, inner: AroundNetwork, network: DeviceNetwork) -> None:
        self.backend, self.encoder_backend, self.precision = inner.backend, inner.backend, inner.precision
        self._inner, self._network = inner, network

    @property
    def device_bytes(self) -> int:
        """Device memory that is taken now, engines included."""
        return self._network.device_bytes

    def encode(self, image: NDArray[Any]) -> NDArray[Any]:
        encoded: NDArray[Any] = self._inner.encode(image)
        return encoded

    def decode(self, maps: NDArray[Any], image: NDArray[Any], grid: SamplingGrid) -> NDArray[Any]:
        return self._inner.decode(maps, image, grid)

    def frames(self, images: Iterable[NDArray[Any]], grid: SamplingGrid) -> Iterator[NDArray[Any]]:
        """Each picture upscaled, in order; ``ShapeError`` unless all have the first one's shape."""
        given = (self._inner.given(image, grid) for image in images)
        for result in self._network.stream(given):
            started = time.perf_counter()
            frame = self._inner.made(result, grid)
            spent = 1000 * (time.perf_counter() - started)
            self.times = dataclasses.replace(self._network.times, decoder_ms=spent)
            yield frame

    def close(self) -> None:
        self._inner.close()
        self._network.close()
