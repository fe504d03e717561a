"""Receptive fields, computed from a graph: what makes strips and tiles exact."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import onnx
from onnx import numpy_helper

from edge_sr.errors import ParityError

POINTWISE = frozenset(
    {"Abs", "Add", "Cast", "Clip", "Concat", "Div", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "Identity",
     "LeakyRelu", "Max", "Min", "Mish", "Mul", "Neg", "PRelu", "Pow", "Relu", "Round", "Selu", "Sigmoid", "Softplus",
     "Split", "Sqrt", "Sub", "Tanh", "Transpose", "QuantizeLinear", "DequantizeLinear"}
)  # fmt: skip
# Pixels that an enlargement by a whole factor reads to either side, by mode.
ENLARGED = {b"nearest": 1, b"linear": 1, b"cubic": 2}
# With others the place that is read depends on the picture's size.
PLACES = frozenset({b"half_pixel", b"pytorch_half_pixel", b"asymmetric"})

POOLS = frozenset({"AveragePool", "LpPool", "MaxPool"})

Attributes = dict[str, Any]
Constants = Mapping[str, onnx.TensorProto]


@dataclasses.dataclass(frozen=True)
class Field:
    """What a value reads: ``low`` input pixels before its own to ``high`` after it, on the worse of two axes.

    ``step``: input pixels from one value to the next.
    """

    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)
    step: Fraction = Fraction(1)

    def window(self, before: int, after: int) -> Field:
        """The field of a value that reads so many pixels of this tensor before and after its own."""
        return dataclasses.replace(
            self, low=self.low + before * self.step, high=self.high + after * self.step
        )

    def spaced(self, factor: Fraction) -> Field:
        return dataclasses.replace(self, step=self.step * factor)


def receptive_radius(graph: onnx.ModelProto) -> int:
    """How many input pixels around it can change a value of the output: the largest sum on any path."""
    field = output_field(graph)
    return math.ceil(max(field.low, field.high))


def output_field(model: onnx.ModelProto) -> Field:
    """The field of the first output over the first input; ``ParityError`` where an operator's is not known."""
    return _fields(model, _after)[model.graph.output[0].name]


def _fields(
    model: onnx.ModelProto, after: Callable[[onnx.NodeProto, Constants, list[Field]], Field]
) -> dict[str, Field]:
    """The field of each tensor that depends on the first input; ``after``: a node's, from those that it reads."""
    constants = _constants(model)
    fields = {str(given_inputs(model)[0].name): Field()}
    for node in model.graph.node:
        known = [fields[name] for name in node.input if name in fields]
        if known:
            fields.update(dict.fromkeys(node.output, after(node, constants, known)))
    return fields


def gap_reach(model: onnx.ModelProto) -> int:
    """Input pixels to one side that dilated windows span together, at least and on the worst path.

    Others leave no gap, so that what they read shows at every distance. ``ParityError`` where a window's size is
    not known.
    """
    field = _fields(model, _past_gaps).get(model.graph.output[0].name, Field())
    return math.ceil(max(field.low, field.high))


def _past_gaps(node: onnx.NodeProto, constants: Constants, known: list[Field]) -> Field:
    field = Field(*(max(getattr(one, side) for one in known) for side in ("low", "high", "step")))
    if node.op_type not in WINDOWS and node.op_type not in POOLS:
        return field
    attributes = _attributes(node, constants)
    after = WINDOWS.get(node.op_type, _convolved)(attributes, field)
    if max(attributes.get("dilations", [1])) > 1:
        return after
    return dataclasses.replace(field, step=after.step)


def given_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The inputs but for constants, which older files list among them."""
    held = {value.name for value in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in held]


def _constants(model: onnx.ModelProto) -> Constants:
    """Initializers, and what Constant nodes hold as tensors, by name."""
    nodes = [node for node in model.graph.node if node.op_type == "Constant"]
    held = {node.output[0]: one.t for node in nodes for one in node.attribute if one.name == "value"}
    return {**held, **{value.name: value for value in model.graph.initializer}}


def _joined(node: onnx.NodeProto, inputs: list[Field]) -> Field:
    if len({field.step for field in inputs}) > 1:
        raise ParityError(f"operator {node.op_type} joins pictures of different sizes")
    return Field(max(one.low for one in inputs), max(one.high for one in inputs), inputs[0].step)


def _after(node: onnx.NodeProto, constants: Constants, known: list[Field]) -> Field:
    field = _joined(node, known)
    if node.op_type in POINTWISE:
        return field
    if node.op_type == "Pad":
        return _padded(node, constants, field)
    if node.op_type == "Resize":
        return _enlarged(node, constants, field)
    if node.op_type not in WINDOWS:
        raise ParityError(f"operator {node.op_type} has no known receptive field; strips would not be exact")
    return WINDOWS[node.op_type](_attributes(node, constants), field)


def _attributes(node: onnx.NodeProto, constants: Constants) -> Attributes:
    """The node's own, and a convolution's ``kernel_shape``, which may be left to its weights to say."""
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    if node.op_type in ("Conv", "ConvTranspose") and node.input[1] in constants:
        attributes.setdefault("kernel_shape", list(constants[node.input[1]].dims[2:]))
    return attributes


def _padded(node: onnx.NodeProto, constants: Constants, field: Field) -> Field:
    """A border before the first pixel moves every window back by as much."""
    if len(node.input) < 2 or node.input[1] not in constants:
        raise ParityError("a Pad whose border is computed cannot be measured; run onnx-simplifier on it")
    border = int(numpy_helper.to_array(constants[node.input[1]])[2:4].max())
    return field.window(border, -border)


def _enlarged(node: onnx.NodeProto, constants: Constants, field: Field) -> Field:
    """By a whole factor that is a constant, the same along both axes."""
    attributes = {
        "mode": b"nearest",
        "coordinate_transformation_mode": b"half_pixel",
        **_attributes(node, constants),
    }
    scales = constants.get(node.input[2]) if len(node.input) == 3 else None
    factors = [] if scales is None else numpy_helper.to_array(scales).tolist()
    factor = int(factors[-1]) if factors else 0
    placed = attributes["coordinate_transformation_mode"] in PLACES
    if factor < 1 or factors != [1, 1, factor, factor] or not placed or attributes.get("antialias"):
        raise ParityError(
            "operator Resize by no whole factor, or from corner to corner, has no known receptive field"
        )
    reach = ENLARGED[attributes["mode"]]
    return field.window(reach, reach).spaced(Fraction(1, factor))


def _convolved(attributes: Attributes, field: Field) -> Field:
    stride, dilation = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    pads = attributes.get("pads", [0, 0, 0, 0])
    spans = [(size - 1) * dilation[i] - (stride[i] - 1) for i, size in enumerate(_kernel(attributes))]
    after = max(span - pads[i] for i, span in enumerate(spans))
    return field.window(max(pads[:2]), after).spaced(Fraction(stride[0]))


def _transposed(attributes: Attributes, field: Field) -> Field:
    """Output ``o`` reads inputs from ``ceil((o + pad - span) / s)`` to ``floor((o + pad) / s)``."""
    stride, pads = attributes.get("strides", [1, 1]), attributes.get("pads", [0, 0, 0, 0])
    dilation = attributes.get("dilations", [1, 1])
    spans = [(size - 1) * dilation[i] for i, size in enumerate(_kernel(attributes))]
    before = max((span - pads[i]) // stride[i] for i, span in enumerate(spans))
    after = max((stride[i] - 1 + pads[i]) // stride[i] for i in (0, 1))
    return field.window(before, after).spaced(Fraction(1, stride[0]))


def _shuffled(attributes: Attributes, field: Field) -> Field:
    return field.spaced(Fraction(1, attributes["blocksize"]))


def _unshuffled(attributes: Attributes, field: Field) -> Field:
    return field.spaced(Fraction(attributes["blocksize"]))


def _kernel(attributes: Attributes) -> list[int]:
    if "kernel_shape" not in attributes:
        raise ParityError(
            "a Conv whose kernel_shape is computed cannot be measured; run onnx-simplifier on it"
        )
    return [int(size) for size in attributes["kernel_shape"]]


WINDOWS: dict[str, Callable[[Attributes, Field], Field]] = {
    "Conv": _convolved,
    "ConvTranspose": _transposed,
    "DepthToSpace": _shuffled,
    "SpaceToDepth": _unshuffled,
}
