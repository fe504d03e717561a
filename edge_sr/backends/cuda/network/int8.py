"""A bundle's int8 scheme as its encoder's graph has it: which layers are int8, and the scales of what they read.

Weights are int8 with a scale for each output, activations with one for a tensor, all around zero. A layer is int8 where
both its weights and its input are; what is added to a residual stays float16.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.native.onnx_file import Node, OnnxGraph
from edge_sr.errors import BundleError


def int8_tensors(graph: OnnxGraph) -> dict[str, NDArray[Any]]:
    """The graph's arrays, and for every int8 layer ``NAME.input.scale``.

    Raises ``BundleError`` for levels that do not lie around zero.
    """
    scales = {}
    for node in graph.nodes:
        if node.operator == "Conv" and (name := _int8_layer(graph, node)):
            scales[f"{name}.input.scale"] = np.float32(_activation_scale(graph, node, name))
    return {**graph.arrays, **{name: np.asarray(scale) for name, scale in scales.items()}}


def _int8_layer(graph: OnnxGraph, node: Node) -> str | None:
    """The name of a convolution whose weights and input both are levels."""
    makers = [graph.maker(value) for value in node.inputs[:2]]
    if any(maker is None or maker.operator != "DequantizeLinear" for maker in makers):
        return None
    return node.inputs[1].removesuffix(".weight.rounded")


def _activation_scale(graph: OnnxGraph, node: Node, name: str) -> float:
    scale = 0.0
    for value in node.inputs[:2]:
        maker = graph.maker(value)
        assert maker is not None
        # None is zero.
        if any(np.any(graph.arrays[zero]) for zero in maker.inputs[2:] if zero):
            raise BundleError(
                f"expected levels of {name} around zero, found others: calibrate the bundle again"
            )
        scale = scale or float(graph.arrays[maker.inputs[1]].reshape(-1)[0])
    return scale
