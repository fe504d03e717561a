"""A float32 twin of a float16 graph that truly rounds every float16 tensor.

ONNX Runtime on x86 computes float16 graphs in float32 and drops the casts between, which flatters. The twin holds
the same nodes in float32 and rounds by arithmetic that no optimiser may remove: Veltkamp's split keeps the 11 leading
bits of a value. Magnitudes below 2**-14, where float16 turns coarser, keep their 11 bits: an error under 3e-8.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

LARGEST_HALF = 65504.0
SPLIT = float(2**13 + 1)
CONSTANTS = {"half.split": SPLIT, "half.low": -LARGEST_HALF, "half.high": LARGEST_HALF}


def rounding_twin(model: onnx.ModelProto) -> onnx.ModelProto:
    """The float32 twin of ``model``, inputs and outputs float32 where they were float16."""
    typed = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    half = _half_tensors(typed)
    twin = onnx.ModelProto()
    twin.CopyFrom(typed)
    del twin.graph.node[:], twin.graph.value_info[:]
    for initializer in twin.graph.initializer:
        _widen(initializer)
    for value in [*twin.graph.input, *twin.graph.output]:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for name, value in CONSTANTS.items():
        twin.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    for node in typed.graph.node:
        twin.graph.node.extend(_rounded(node, half))
    onnx.checker.check_model(twin, full_check=True)
    return twin


def _half_tensors(model: onnx.ModelProto) -> set[str]:
    values = [*model.graph.value_info, *model.graph.output, *model.graph.input]
    return {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT16}


def _widen(initializer: onnx.TensorProto) -> None:
    if initializer.data_type == TensorProto.FLOAT16:
        array = numpy_helper.to_array(initializer).astype(np.float32)
        initializer.CopyFrom(numpy_helper.from_array(array, initializer.name))


def _rounded(node: onnx.NodeProto, half: set[str]) -> list[onnx.NodeProto]:
    """The node in float32, and after it the rounding of each output that was float16."""
    widened = onnx.NodeProto()
    widened.CopyFrom(node)
    for attribute in widened.attribute:
        if attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
            attribute.i = TensorProto.FLOAT
        if attribute.HasField("t"):
            _widen(attribute.t)
    nodes = [widened]
    for i, name in enumerate(node.output):
        if name in half:
            widened.output[i] = f"{name}.wide"
            nodes.extend(_round(f"{name}.wide", name))
    return nodes


def _round(source: str, result: str) -> list[onnx.NodeProto]:
    shifted, rest, rounded = (f"{result}.{part}" for part in ("shifted", "rest", "rounded"))
    return [
        helper.make_node("Mul", [source, "half.split"], [shifted]),
        helper.make_node("Sub", [shifted, source], [rest]),
        helper.make_node("Sub", [shifted, rest], [rounded]),
        helper.make_node("Clip", [rounded, "half.low", "half.high"], [result]),
    ]
