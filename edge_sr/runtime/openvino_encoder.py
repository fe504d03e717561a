"""OpenVINO's CPU plugin as the encoder in front of the native decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import BundleError
from edge_sr.optional import require

# The plugin lowers float32 by itself where the processor has bfloat16, unless told what to compute in.
HINTS = {"fp32": "f32", "bf16": "bf16"}


def has_bf16() -> bool:
    """Whether OpenVINO is installed and computes in bfloat16 on this processor."""
    try:
        openvino = require("openvino", "a bfloat16 encoder")
    except ImportError:
        return False
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class _Lease:
    """Lends a buffer to numpy: when the last view of it is gone, the buffer goes back to its pool."""

    def __init__(self, buffer: NDArray[Any], pool: list[NDArray[Any]]) -> None:
        self.__array_interface__ = buffer.__array_interface__
        self._buffer, self._pool = buffer, pool

    def __del__(self) -> None:
        self._pool.append(self._buffer)


class OpenVinoEncoder:
    """``image`` to maps on ``threads`` threads: a graph compiled for the first size, one for all others.

    The second takes a tenth longer and no time to compile: regions come in many sizes, and a live picture
    cannot wait for a compiler. ``graph`` is an encoder's ONNX file, ``precision`` ``fp32``, ``bf16`` or one of
    ``int8``. Maps are float32, or with ``half_maps`` the bits of bfloat16 as uint16: what ``bf16`` rounds to
    anyway, in half the memory. Raises ``MissingError`` without OpenVINO, ``BundleError`` for a graph it refuses.
    """

    backend = "openvino"

    def __init__(self, graph: Path, precision: str, threads: int, *, half_maps: bool = False) -> None:
        self._openvino = require("openvino", "the OpenVINO encoder")
        self._core = self._openvino.Core()
        self._graph = graph
        self._options = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": HINTS.get(precision, "f32"),
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._shape: tuple[int, ...] = ()
        self._request: Any = None
        self._any_size: Any = None
        # Maps are tens of megabytes: fresh pages for every frame would cost as much as several layers.
        self._pool: list[NDArray[Any]] = []
        self._half = half_maps

    def encode(self, image: NDArray[Any]) -> NDArray[Any]:
        """Maps of ``1 x h x w x 3``, valid for as long as they are referred to."""
        if not self._shape:
            self._request, self._shape = self._compiled(list(image.shape)), image.shape
        if image.shape != self._shape:
            return self._encode_other(image)
        maps = self._lent()
        self._request.set_output_tensor(self._tensor(maps))
        self._request.infer({0: np.ascontiguousarray(image)}, share_inputs=True, share_outputs=True)
        return maps

    def _encode_other(self, image: NDArray[Any]) -> NDArray[Any]:
        if self._any_size is None:
            self._any_size = self._compiled([1, -1, -1, 3])
        self._any_size.infer({0: np.ascontiguousarray(image)}, share_inputs=True, share_outputs=True)
        maps: NDArray[Any] = self._any_size.get_output_tensor(0).data.copy()
        return maps.view(np.uint16) if self._half else maps

    def _tensor(self, maps: NDArray[Any]) -> Any:
        if not self._half:
            return self._openvino.Tensor(maps, shared_memory=True)
        return self._openvino.Tensor(maps, list(maps.shape), self._openvino.Type.bf16)

    def _lent(self) -> NDArray[Any]:
        output = self._request.model_outputs[0]
        dtype = np.uint16 if self._half else output.element_type.to_dtype()
        buffer = self._pool.pop() if self._pool else np.empty(tuple(output.shape), dtype)
        return np.asarray(_Lease(buffer, self._pool))

    def _compiled(self, shape: list[int]) -> Any:
        """-1 stands for any height or width."""
        try:
            model = self._core.read_model(self._graph)
            model.reshape({0: self._openvino.PartialShape(shape)})
            model = self._in_halves(model) if self._half else model
            return self._core.compile_model(model, "CPU", self._options).create_infer_request()
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise BundleError(f"OpenVINO refuses {self._graph.name}: {reason}") from error

    def _in_halves(self, model: Any) -> Any:
        steps = self._openvino.preprocess.PrePostProcessor(model)
        steps.output().tensor().set_element_type(self._openvino.Type.bf16)
        return steps.build()
