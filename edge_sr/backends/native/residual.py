"""A small residual encoder taken from its graph: the convolutions, in float32 or INT8, that the library runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edge_sr.backends.native.onnx_file import Node, OnnxGraph, read_graph
from edge_sr.errors import BundleError

MAX_CHANNELS = 64  # the library's kernels
LEVELS = 255
ROUNDING = ("QuantizeLinear", "DequantizeLinear")

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Levels:
    """What INT8 adds to a convolution: ``weight`` int8 of its shape, ``weight_scale`` by output, ``bias`` int32."""

    weight: Array
    weight_scale: Array
    bias: Array
    input_scale: float
    input_zero: int


@dataclasses.dataclass(frozen=True)
class Convolution:
    """3 x 3: ``shape`` = (outputs, inputs, 3, 3); in float32 ``weight`` and ``bias``, or ``levels``.

    ``input_range``, in float32: how far from zero most of its input lies, 0 where the graph does not say.
    """

    shape: tuple[int, ...]
    weight: Array | None
    bias: Array | None
    levels: Levels | None
    relu: bool
    input_range: float = 0.0


@dataclasses.dataclass(frozen=True)
class ResidualEncoder:
    """Head, two convolutions a block, tail, contents."""

    blocks: int
    convolutions: tuple[Convolution, ...]

    @property
    def channels(self) -> int:
        return self.convolutions[0].shape[0]

    @property
    def contents(self) -> tuple[Convolution, ...]:
        return self.convolutions[2 + 2 * self.blocks :]

    @property
    def maps(self) -> int:
        return sum(content.shape[0] for content in self.contents)

    @property
    def int8(self) -> bool:
        return any(one.levels is not None for one in self.convolutions)


def read_encoder(path: Path, blocks: int) -> ResidualEncoder | None:
    """The encoder in an exported graph; ``None`` where the graph has another form than the library runs."""
    graph = read_graph(path)
    nodes = [node for node in graph.nodes if node.operator == "Conv"]
    if len(nodes) < 3 + 2 * blocks or not _has_form(graph, nodes, blocks):
        return None
    encoder = ResidualEncoder(blocks, _ranged([_convolution(graph, node) for node in nodes], blocks))
    return encoder if encoder.channels <= MAX_CHANNELS else None


def _ranged(convolutions: list[Convolution], blocks: int) -> tuple[Convolution, ...]:
    """With the range of the residual stream where a convolution reads it in float32.

    It is the widest that those have which read the stream in INT8.
    """
    readers = [*range(1, 2 * blocks + 1, 2), *range(2 * blocks + 1, len(convolutions))]
    levels = [convolutions[index].levels for index in readers]
    widest = max((LEVELS * one.input_scale for one in levels if one is not None), default=0.0)
    return tuple(
        dataclasses.replace(one, input_range=widest) if index in readers and one.levels is None else one
        for index, one in enumerate(convolutions)
    )


def _has_form(graph: OnnxGraph, nodes: list[Node], blocks: int) -> bool:
    """Every convolution reads what it should, and the maps are the contents' results in order."""
    value, head = nodes[0].outputs[0], nodes[0].outputs[0]
    for first, second in zip(nodes[1 : 1 + 2 * blocks : 2], nodes[2 : 2 + 2 * blocks : 2], strict=True):
        if _source(graph, first) != value or _source(graph, second) != _after_relu(graph, first):
            return False
        value = _sum(graph, value, second)
    tail, contents = nodes[1 + 2 * blocks], nodes[2 + 2 * blocks :]
    features = _sum(graph, head, tail) if _source(graph, tail) == value else ""
    results = tuple(_after_relu(graph, node) for node in contents)
    joined = [node.inputs for node in graph.nodes if node.operator == "Concat"]
    return all(_source(graph, node) == features for node in contents) and (
        joined == [results] if len(contents) > 1 else not joined
    )


def _source(graph: OnnxGraph, convolution: Node) -> str:
    """What a convolution reads, before it is rounded."""
    value = convolution.inputs[0]
    while (maker := graph.maker(value)) is not None and maker.operator in ROUNDING:
        value = maker.inputs[0]
    return value


def _after_relu(graph: OnnxGraph, convolution: Node) -> str:
    result = convolution.outputs[0]
    return next((one.outputs[0] for one in graph.readers(result) if one.operator == "Relu"), result)


def _sum(graph: OnnxGraph, value: str, convolution: Node) -> str:
    """The result of adding a convolution to ``value``; nothing where that is not done."""
    for node in graph.readers(convolution.outputs[0]):
        if node.operator == "Add" and set(node.inputs) == {value, convolution.outputs[0]}:
            return node.outputs[0]
    return ""


def _convolution(graph: OnnxGraph, node: Node) -> Convolution:
    value, weight, bias = node.inputs
    relu = _after_relu(graph, node) != node.outputs[0]
    if weight in graph.arrays:
        array = graph.arrays[weight]
        return Convolution(array.shape, array, graph.arrays[bias], None, relu)
    levels = _levels(graph, value, weight, bias)
    return Convolution(levels.weight.shape, None, None, levels, relu)


def _levels(graph: OnnxGraph, value: str, weight: str, bias: str) -> Levels:
    _, scale, zero = _rounded(graph, value)
    whole, weight_scale, _ = _rounded(graph, weight)
    return Levels(
        graph.arrays[whole],
        graph.arrays[weight_scale],
        graph.arrays[_rounded(graph, bias)[0]],
        float(graph.arrays[scale]),
        int(graph.arrays[zero]),
    )


def _rounded(graph: OnnxGraph, value: str) -> tuple[str, ...]:
    """Names of the levels, their scale and their zero point."""
    maker = graph.maker(value)
    if maker is None or maker.operator != "DequantizeLinear":
        raise BundleError(
            f"expected {value} to be dequantised, found another form: calibrate the bundle again"
        )
    return maker.inputs
