"""A small residual encoder taken from its graph: the convolutions, in float32 or INT8, that the library runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.native.onnx_file import Node, OnnxGraph, read_graph
from edge_sr.backends.native.residual_form import has_form, rectified, source

# The library's, of native/src/encoder/packing.cpp.
MAX_CHANNELS, MAX_BLOCKS, MAX_CONTENTS, MAX_MAPS = 64, 64, 16, 4096
LEVELS = 255
TAPS = (3, 3)

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

    @property
    def fits(self) -> bool:
        """Whether the library has room for it."""
        sizes = self.channels, self.blocks, len(self.contents), max(one.shape[0] for one in self.contents)
        limits = MAX_CHANNELS, MAX_BLOCKS, MAX_CONTENTS, MAX_MAPS
        return all(size <= limit for size, limit in zip(sizes, limits, strict=True))


def read_encoder(path: Path, blocks: int) -> ResidualEncoder | None:
    """The encoder in an exported graph; ``None`` where the graph has another form than the library runs."""
    graph = read_graph(path)
    convolutions = [node for node in graph.nodes if node.operator == "Conv"]
    if len(convolutions) < 3 + 2 * blocks:
        return None
    try:
        _need(has_form(graph, convolutions, blocks))
        found = [_convolution(graph, node) for node in convolutions]
        _need(found[0].levels is None and all(len(one.shape) == 4 and one.shape[2:] == TAPS for one in found))
    except (ArithmeticError, LookupError, ValueError):
        return None
    encoder = ResidualEncoder(blocks, _ranged(found, blocks))
    return encoder if encoder.fits else None


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


def _convolution(graph: OnnxGraph, node: Node) -> Convolution:
    _, weight, bias = node.inputs
    relu = bool(rectified(graph, node))
    if weight in graph.arrays:
        array, offset = graph.arrays[weight], graph.arrays[bias]
        _need(source(graph, node) == node.inputs[0] and array.dtype == offset.dtype == np.float32)
        return Convolution(array.shape, array, offset, None, relu)
    levels = _levels(graph, node)
    return Convolution(levels.weight.shape, None, None, levels, relu)


def _levels(graph: OnnxGraph, node: Node) -> Levels:
    value, weight, bias = (_maker(graph, name, "DequantizeLinear") for name in node.inputs)
    given = _maker(graph, value.inputs[0], "QuantizeLinear")
    scale, zero = _parameters(graph, given)
    weight_scale, bias_scale = _scale_of_outputs(graph, weight), _scale_of_outputs(graph, bias)
    levels, start = graph.arrays[weight.inputs[0]], graph.arrays[bias.inputs[0]]
    _need(_parameters(graph, value) == (scale, zero) and levels.dtype == np.int8 and start.dtype == np.int32)
    _need(weight_scale.shape == levels.shape[:1])
    _need(np.allclose(bias_scale, np.float32(scale) * weight_scale, rtol=1e-5, atol=0))
    return Levels(levels, weight_scale, start, scale, zero)


def _scale_of_outputs(graph: OnnxGraph, node: Node) -> Array:
    """What a level of each output is worth, where levels lie around zero."""
    scale = graph.arrays[node.inputs[1]]
    around_zero = not any(graph.arrays[name].any() for name in node.inputs[2:] if name)
    _need(around_zero and scale.dtype == np.float32 and node.attributes.get("axis") == (0,))
    return scale


def _parameters(graph: OnnxGraph, node: Node) -> tuple[float, int]:
    """Scale and zero point of levels from 0 to 255, which is what they are where no zero point is given."""
    scale = graph.arrays[node.inputs[1]]
    zero = graph.arrays[node.inputs[2]] if any(node.inputs[2:]) else np.uint8(0)
    _need(scale.dtype == np.float32 and zero.dtype == np.uint8)
    return float(scale.item()), int(zero.item())


def _maker(graph: OnnxGraph, value: str, operator: str) -> Node:
    node = graph.maker(value)
    if node is None or node.operator != operator:
        raise ValueError(f"{value} is not made by {operator}")
    return node


def _need(condition: bool) -> None:
    if not condition:
        raise ValueError("a graph of another form")
