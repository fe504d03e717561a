"""Whether a graph is a small residual encoder's: nothing but its convolutions between picture and maps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from edge_sr.backends.native.onnx_file import Node, OnnxGraph

PICTURE = "image"
FLOAT32 = (1,)
# Of a convolution: 3 x 3 with zeros around. What a graph leaves out is as here, but for the zeros.
PLAIN = {"pads": (1, 1, 1, 1), "strides": (1, 1), "dilations": (1, 1), "group": (1,), "auto_pad": "NOTSET"}
NO_PADS = {"pads": (0, 0, 0, 0)}
TO_PLANES = (0, 3, 1, 2)

# The linear function ``scale * x + shift`` after another one with a constant has been put before it.
Linear = tuple[float, float]
BEFORE: dict[str, Callable[[Linear, float], Linear]] = {
    "Add": lambda after, constant: (after[0], after[1] + after[0] * constant),
    "Sub": lambda after, constant: (after[0], after[1] - after[0] * constant),
    "Mul": lambda after, constant: (after[0] * constant, after[1]),
    "Div": lambda after, constant: (after[0] / constant, after[1]),
}


def has_form(graph: OnnxGraph, convolutions: Sequence[Node], blocks: int) -> bool:
    """Whether every convolution reads what it should, and the graph's one output are the contents' results in order.

    ``convolutions`` in the file's order: head, two a block, tail, contents. Raises ``ArithmeticError``,
    ``LookupError`` or ``ValueError`` for some graphs of another form.
    """
    head, body = convolutions[0], convolutions[1 : 1 + 2 * blocks]
    tail, contents = convolutions[1 + 2 * blocks], convolutions[2 + 2 * blocks :]
    if not all(map(_is_plain, convolutions)) or not _is_centred_picture(graph, head.inputs[0]):
        return False
    value = head.outputs[0]
    for first, second in zip(body[::2], body[1::2], strict=True):
        if source(graph, first) != value or source(graph, second) != rectified(graph, first):
            return False
        value = _sum(graph, value, second)
    features = _sum(graph, head.outputs[0], tail) if source(graph, tail) == value else ""
    results = tuple(rectified(graph, node) or node.outputs[0] for node in contents)
    return all(source(graph, node) == features for node in contents) and _joined(graph) == results


def source(graph: OnnxGraph, convolution: Node) -> str:
    """What a convolution reads, before it is rounded."""
    value = convolution.inputs[0]
    levels = graph.maker(value)
    if levels is None or levels.operator != "DequantizeLinear":
        return value
    given = graph.maker(levels.inputs[0])
    return given.inputs[0] if given is not None and given.operator == "QuantizeLinear" else value


def rectified(graph: OnnxGraph, convolution: Node) -> str:
    """The result of a convolution's ReLU; nothing where it has none."""
    readers = graph.readers(convolution.outputs[0])
    return next((one.outputs[0] for one in readers if one.operator == "Relu"), "")


def _is_plain(convolution: Node) -> bool:
    found = {**PLAIN, **NO_PADS, **convolution.attributes}
    return all(found[name] == value for name, value in PLAIN.items())


def _is_centred_picture(graph: OnnxGraph, value: str) -> bool:
    """Whether it is the picture as planes, its values from -1 to 1."""
    linear, full, planes = (1.0, 0.0), 1.0, False
    for _ in graph.nodes:
        node = graph.maker(value)
        if node is None:
            break
        if node.operator == "Transpose" and not planes and node.attributes.get("perm") == TO_PLANES:
            planes = True
        elif node.operator == "Cast" and node.attributes.get("to") == FLOAT32:
            full = 255.0
        elif node.operator in BEFORE and full == 1.0:
            linear = BEFORE[node.operator](linear, float(graph.arrays[node.inputs[1]].item()))
        else:
            return False
        value = node.inputs[0]
    centred = math.isclose(linear[0] * full, 2.0, rel_tol=1e-6) and math.isclose(
        linear[1], -1.0, rel_tol=1e-6
    )
    return value == PICTURE and planes and centred


def _sum(graph: OnnxGraph, value: str, convolution: Node) -> str:
    """The result of adding a convolution to ``value``; nothing where that is not done."""
    for node in graph.readers(convolution.outputs[0]):
        if node.operator == "Add" and set(node.inputs) == {value, convolution.outputs[0]}:
            return node.outputs[0]
    return ""


def _joined(graph: OnnxGraph) -> tuple[str, ...]:
    """What the graph's output puts one after another."""
    (output,) = graph.outputs
    maker = graph.maker(output)
    if maker is None or maker.operator != "Concat":
        return (output,)
    return maker.inputs if maker.attributes.get("axis") == (1,) else ()
