"""The first run of a network's engine on a device, held against ONNX Runtime like that of a pair's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.engine_cache.identity import Shape
from edge_sr.manifest import Bundle
from edge_sr.runtime.cuda import Driver
from edge_sr.runtime.onnx_runner import OnnxEncoder
from edge_sr.runtime.runner import PartTimes
from edge_sr.runtime.tensorrt_network import TensorRTNetwork
from edge_sr.runtime.tensorrt_proof import PROOF_SIDE, Shelf, Trial, proof_picture, prove, trial


class ProvenNetwork:
    """A ``TensorRTNetwork`` that proves its engine before the first picture of each size.

    Raises ``EngineError`` for an engine whose proof failed, now or at an earlier run on this device.
    """

    def __init__(self, inner: TensorRTNetwork, shelf: Shelf, driver: Driver) -> None:
        self.backend = inner.backend
        self._inner, self._shelf, self._driver = inner, shelf, driver
        self._proven: set[Shape] = set()

    @property
    def times(self) -> PartTimes:
        return self._inner.times

    @property
    def device_bytes(self) -> int:
        return self._inner.device_bytes

    def encode(self, image: NDArray[Any]) -> NDArray[Any]:
        self._prove(image.shape)
        return self._inner.encode(image)

    def stream(self, images: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """As ``TensorRTNetwork.stream``, once the engine for the pictures' size is proven."""

        def proven() -> Iterator[NDArray[Any]]:
            for image in images:
                self._prove(image.shape)
                yield image

        return self._inner.stream(proven())

    def _prove(self, shape: Shape) -> None:
        if shape in self._proven:
            return
        with self._driver.entered():
            window = self._shelf.open_for(shape)
        prove(self._shelf, lambda: self._try_engine(window))
        self._proven.add(shape)

    def _try_engine(self, window: Shape) -> Trial:
        """A whole window on the device, and on the CPU as much of its corner as need be."""
        picture, bundle = proof_picture(window, self._shelf.io), self._shelf.bundle
        times = bundle.description.scale
        rows, cols = (min(side, -(-PROOF_SIDE // times)) for side in window[1:3])
        corner = slice(None), slice(times * rows), slice(times * cols)
        part = picture if bundle.description.whole_frames else _with_field(bundle, picture, rows, cols)
        return trial(
            lambda: self._inner.encode(picture)[corner],
            lambda: OnnxEncoder(bundle, "fp32", self._shelf.io, 1, "network").encode(part)[corner],
        )

    def close(self) -> None:
        self._inner.close()
        with self._driver.entered():
            self._shelf.close()
        self._driver.close()


def _with_field(bundle: Bundle, picture: NDArray[Any], rows: int, cols: int) -> NDArray[Any]:
    """The upper left of the picture, with all that its results depend on."""
    reach = bundle.description.radius
    return np.ascontiguousarray(picture[:, : rows + reach, : cols + reach])
