"""The receptive-field radius of an encoder, read off its graph."""

from __future__ import annotations

import onnx

from edge_sr.errors import ParityError

POINTWISE = frozenset(
    {"Add", "Cast", "Clip", "Concat", "Div", "Max", "Min", "Mul", "Relu", "Sub", "Transpose",
     "QuantizeLinear", "DequantizeLinear"}
)  # fmt: skip


def receptive_radius(encoder: onnx.ModelProto) -> int:
    """How many LR pixels around it can change a value of the maps: the largest sum of kernel radii on any path.

    ``Pad`` with a border of one (the maps of ``init_q``) counts as one, for the decoder's unfolding. Raises
    ``ParityError`` for an operator whose field is not known.
    """
    radius: dict[str, int] = {value.name: 0 for value in encoder.graph.input}
    for node in encoder.graph.node:
        known = [radius[name] for name in node.input if name in radius]
        if known:
            radius.update(dict.fromkeys(node.output, max(known) + _reach(node)))
    return radius[encoder.graph.output[0].name]


def _reach(node: onnx.NodeProto) -> int:
    if node.op_type == "Conv":
        return (_kernel(node) - 1) // 2
    if node.op_type == "Pad":
        return 1
    if node.op_type not in POINTWISE:
        raise ParityError(f"operator {node.op_type} has no known receptive field; strips would not be exact")
    return 0


def _kernel(node: onnx.NodeProto) -> int:
    shapes = [attribute.ints for attribute in node.attribute if attribute.name == "kernel_shape"]
    if not shapes:
        raise ParityError("a Conv without kernel_shape cannot be measured; run onnx-simplifier on it")
    return int(max(shapes[0]))
