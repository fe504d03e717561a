"""The first run of a network's engine on a device, held against ONNX Runtime like that of a pair's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.tensorrt.network import TensorRTNetwork
from edge_sr.backends.tensorrt.proof.pair import PROOF_SIDE, Proven, Trial, proof_picture, trial
from edge_sr.bundle import Bundle
from edge_sr.engines.store.identity import Shape


class ProvenNetwork(Proven[TensorRTNetwork]):
    """A ``TensorRTNetwork`` that proves its engine."""

    def encode(self, image: NDArray[Any]) -> NDArray[Any]:
        return self._inner.encode(self._proven(image))

    def stream(self, images: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """As ``TensorRTNetwork.stream``."""
        return self._inner.stream(map(self._proven, images))

    def _try_engines(self, shape: Shape) -> Trial:
        """A whole window on the device, and on the CPU as much of its corner as need be."""
        picture, bundle = proof_picture(shape, self._shelf.io), self._shelf.bundle
        times = bundle.description.scale
        rows, cols = (min(side, -(-PROOF_SIDE // times)) for side in shape[1:3])
        corner = slice(None), slice(times * rows), slice(times * cols)
        part = picture if bundle.description.whole_frames else _with_field(bundle, picture, rows, cols)
        return trial(
            lambda: self._inner.encode(picture)[corner],
            lambda: OnnxEncoder(bundle, "fp32", self._shelf.io, 1, "network").encode(part)[corner],
        )


def _with_field(bundle: Bundle, picture: NDArray[Any], rows: int, cols: int) -> NDArray[Any]:
    """The upper left of the picture, with all that its results depend on."""
    reach = bundle.description.radius
    return np.ascontiguousarray(picture[:, : rows + reach, : cols + reach])
