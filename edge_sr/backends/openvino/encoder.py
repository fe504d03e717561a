"""OpenVINO's CPU plugin as the encoder in front of the native decoder."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.lending import Lender
from edge_sr.backends.openvino.core import imported_openvino, process_core
from edge_sr.errors import BundleError, LifetimeError, MemoryLimitError, last_line
from edge_sr.kinds import Precision
from edge_sr.machine.memory import ran_out

# The plugin lowers float32 by itself where the processor has bfloat16, unless told what to compute in.
HINTS = {"fp32": "f32", "bf16": "bf16"}
# Sides of two pictures whose maps tell how maps grow.
PROBES = (16, 32)
# Processes that opened the plugin: this one, and those that it was forked from.
_OPENED_IN: set[int] = set()


@functools.cache
def has_bf16() -> bool:
    """Whether OpenVINO is installed, loads, and computes in bfloat16 on this processor."""
    try:
        return "BF16" in process_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except (ImportError, RuntimeError):  # a plugin that does not load
        return False


def _check_process() -> None:
    """The plugin's threads are the process's, and a fork leaves them behind: a child would wait for ever."""
    if _OPENED_IN - {os.getpid()}:
        raise LifetimeError(
            "OpenVINO was opened before the process forked: fork first, start children with "
            "multiprocessing's spawn, or use --backend onnxruntime"
        )
    _OPENED_IN.add(os.getpid())


def computes_in(precision: Precision) -> Precision:
    """What is not INT8 is computed in: ``bf16`` where it is asked for, and around INT8 where the processor can."""
    lowered = precision == "bf16" or (precision == "int8" and has_bf16())
    return "bf16" if lowered else "fp32"


def refused(graph: Path, error: RuntimeError) -> BundleError | MemoryLimitError:
    """What OpenVINO's error stands for. Its lines lead from the outside in, and the last one says why."""
    if ran_out(error):
        return MemoryLimitError(f"not enough memory to run {graph.name}: close other programs")
    return BundleError(f"OpenVINO refuses {graph.name}: {last_line(error)}")


class OpenVinoEncoder:
    """``image`` to maps on ``threads`` threads, by one graph for any size.

    Regions come in many sizes, and a live picture cannot wait for a compiler; and a part of a frame gets the
    very maps that it has in the whole. ``graph`` is an encoder's ONNX file, ``precision`` ``fp32``, ``bf16`` or
    ``int8``. Maps are float32, or with ``bf16_maps`` the bits of bfloat16 as uint16, in half the memory: what a
    decoder in ``bf16`` rounds to anyway. Raises ``MissingError`` without OpenVINO, ``BundleError`` for a graph it
    refuses, ``LifetimeError`` in a process forked from one that had opened it.
    """

    backend = "openvino"

    def __init__(self, graph: Path, precision: Precision, threads: int, *, bf16_maps: bool = False) -> None:
        self._openvino = imported_openvino("the OpenVINO encoder")
        _check_process()
        self._bf16, self._graph = bf16_maps, graph
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": HINTS[computes_in(precision)],
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            self._request = self._compiled(graph, options)
        except RuntimeError as error:
            raise refused(graph, error) from error
        element = self._request.model_outputs[0].element_type
        self._lender = Lender(np.uint16 if bf16_maps else element.to_dtype())

    def encode(self, image: NDArray[Any]) -> NDArray[Any]:
        """Maps of ``1 x h x w x 3``, valid for as long as they are referred to."""
        maps = self._lender.lend(self._shape(image.shape))
        self._request.set_output_tensor(self._tensor(maps))
        try:
            self._request.infer({0: np.ascontiguousarray(image)}, share_inputs=True, share_outputs=True)
        except RuntimeError as error:
            raise refused(self._graph, error) from error
        return maps

    def _compiled(self, graph: Path, options: dict[str, Any]) -> Any:
        core = process_core()
        model = core.read_model(graph)
        self._probes = [self._reshaped(model, side).outputs[0].shape for side in PROBES]
        model = self._reshaped(model, -1)
        return core.compile_model(
            self._in_bf16(model) if self._bf16 else model, "CPU", options
        ).create_infer_request()

    def _reshaped(self, model: Any, side: int) -> Any:
        """The model for pictures of ``side`` x ``side``, or with -1 of any size."""
        model.reshape({0: self._openvino.PartialShape([1, side, side, 3])})
        return model

    def _shape(self, image: tuple[int, ...]) -> tuple[int, ...]:
        """The maps' shape, from how it grows with the picture's height, then with its width."""
        sides = iter(image[1:3])
        near, far = PROBES
        return tuple(
            a if a == b else a + (b - a) * (next(sides) - near) // (far - near)
            for a, b in zip(*self._probes, strict=True)
        )

    def _tensor(self, maps: NDArray[Any]) -> Any:
        if not self._bf16:
            return self._openvino.Tensor(maps, shared_memory=True)
        return self._openvino.Tensor(maps, list(maps.shape), self._openvino.Type.bf16)

    def _in_bf16(self, model: Any) -> Any:
        steps = self._openvino.preprocess.PrePostProcessor(model)
        steps.output().tensor().set_element_type(self._openvino.Type.bf16)
        return steps.build()
