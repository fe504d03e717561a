"""Operators that read the whole frame, whatever a trial shows: the largest value hides all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
from onnx import numpy_helper

from edge_sr.export.receptive import POINTWISE

ALWAYS = frozenset(
    {"ArgMax", "ArgMin", "CumSum", "DFT", "DynamicQuantizeLinear", "GRU", "GlobalAveragePool", "GlobalLpPool",
     "GlobalMaxPool", "GroupNormalization", "InstanceNormalization", "LSTM", "MeanVarianceNormalization", "RNN",
     "TopK"}
)  # fmt: skip
# One value decides, so that a trial may show nothing: with axes that are not known they count as frame-wide.
EXTREMES = frozenset({"ReduceMax", "ReduceMin", "Hardmax"})
ALONG_AN_AXIS = frozenset({"Softmax", "LogSoftmax", "LpNormalization", "Hardmax"})
SAME_AXES = POINTWISE | {
    "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "DepthToSpace", "Dropout", "Elu", "Erf", "Exp",
    "Gelu", "HardSigmoid", "HardSwish", "LRN", "LayerNormalization", "Log", "MaxPool", "Mish", "Pad", "Pow",
    "Reciprocal", "Resize", "Selu", "Slice", "Softplus", "Softsign", "SpaceToDepth", "Sqrt", "Upsample", *ALONG_AN_AXIS,
}  # fmt: skip

# What each axis of a value runs along, of "nyxc": batch, rows, columns, channels; "" where that is not known.
Axes = str
Attributes = dict[str, Any]


def frame_wide_operator(model: onnx.ModelProto) -> str:
    """The first operator by which a pixel of the output reads the whole frame; "" where none is seen.

    The first input is a picture, ``1 x h x w x 3``.
    """
    constants = {value.name: value for value in model.graph.initializer}
    axes: dict[str, Axes] = {model.graph.input[0].name: "nyxc"}
    for node in model.graph.node:
        given = [axes[name] for name in node.input if name in axes]
        # The size of a picture says nothing of its pixels.
        if not given or node.op_type in ("Shape", "Size"):
            continue
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        if _reads_all(node, attributes, axes, constants):
            return str(node.op_type)
        axes.update(dict.fromkeys(node.output, _after(node, attributes, max(given, key=len), constants)))
    return ""


def _reads_all(
    node: onnx.NodeProto,
    attributes: Attributes,
    axes: Mapping[str, Axes],
    constants: Mapping[str, onnx.TensorProto],
) -> bool:
    kind = node.op_type
    if kind in ALWAYS:
        return True
    if kind == "MatMul":
        left, right = (axes.get(name, "") for name in node.input)
        return _in_frame(left[-1:] + right[-2:-1])
    given = axes.get(node.input[0], "")
    if kind.startswith("Reduce"):
        along = _reduced(node, attributes, constants)
        return _in_frame(_named(given, along)) or ((not given or along is None) and kind in EXTREMES)
    if kind == "LayerNormalization":
        return _in_frame(given[attributes.get("axis", -1) :])
    if kind in ALONG_AN_AXIS:
        return _in_frame(_named(given, [attributes.get("axis", -1)])) or (not given and kind in EXTREMES)
    return False


def _in_frame(axes: Axes) -> bool:
    return bool(set(axes) & set("yx"))


def _named(given: Axes, along: list[int] | None) -> Axes:
    """Those of the axes that are known, all of them where ``along`` is None."""
    return (
        given if along is None else "".join(given[axis] for axis in along if -len(given) <= axis < len(given))
    )


def _reduced(
    node: onnx.NodeProto, attributes: Attributes, constants: Mapping[str, onnx.TensorProto]
) -> list[int] | None:
    """The axes that are taken together; None for all, and where they are computed."""
    if "axes" in attributes:
        return list(attributes["axes"])
    if len(node.input) < 2 or node.input[1] not in constants:
        return None
    return [int(axis) for axis in numpy_helper.to_array(constants[node.input[1]]).ravel()] or None


def _after(
    node: onnx.NodeProto, attributes: Attributes, given: Axes, constants: Mapping[str, onnx.TensorProto]
) -> Axes:
    if not given:
        return ""
    if node.op_type == "Transpose":
        order = list(attributes.get("perm", range(len(given))[::-1]))
        # Of another number of axes where a constant brought more along.
        return "".join(given[axis] for axis in order) if len(order) == len(given) else ""
    if node.op_type in SAME_AXES:
        return given
    along = _reduced(node, attributes, constants) if node.op_type.startswith("Reduce") else None
    if along is None:
        return ""
    if attributes.get("keepdims", 1):
        return given
    gone = {axis % len(given) for axis in along}
    return "".join(name for axis, name in enumerate(given) if axis not in gone)
