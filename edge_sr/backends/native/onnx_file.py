"""What an ONNX file says of its graph, read without the package ``onnx``: nodes, initialisers and outputs.

The base install runs networks whose weights are in such files. Only what the exporter writes is understood. For
the messages see https://onnx.ai/onnx/repo-docs/IR.html.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import BundleError
from edge_sr.files.protocol_buffers import Field, read_fields, read_varint

# Numbers of the fields that are read, in ModelProto, GraphProto, ValueInfoProto, NodeProto, AttributeProto and
# TensorProto.
MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_OUTPUT = 1, 5, 12
VALUE_NAME = 1
NODE_INPUT, NODE_OUTPUT, NODE_OPERATOR, NODE_ATTRIBUTE = 1, 2, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_INTEGER, ATTRIBUTE_TEXT, ATTRIBUTE_INTEGERS = 1, 3, 4, 8
TENSOR_DIMS, TENSOR_TYPE, TENSOR_NAME, TENSOR_RAW = 1, 2, 8, 9
TYPES: dict[int, Any] = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    6: np.int32,
    7: np.int64,
    10: np.float16,
    11: np.float64,
}

Attribute = str | tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Node:
    """``attributes``: text, and whole numbers as tuples, a single one too; others are left out."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Attribute]


@dataclasses.dataclass(frozen=True)
class OnnxGraph:
    """``nodes`` in the file's order; ``arrays``: initialisers by name, but for those that are not stored raw."""

    nodes: tuple[Node, ...]
    arrays: dict[str, NDArray[Any]]
    outputs: tuple[str, ...]

    def maker(self, value: str) -> Node | None:
        """The node that computes ``value``."""
        return next((node for node in self.nodes if value in node.outputs), None)

    def readers(self, value: str) -> list[Node]:
        return [node for node in self.nodes if value in node.inputs]


def read_graph(path: Path) -> OnnxGraph:
    """The graph of an ONNX file; ``BundleError`` where it is none."""
    try:
        return _graph(memoryview(path.read_bytes()))
    except (ArithmeticError, LookupError, StopIteration, TypeError, ValueError) as error:
        raise BundleError(f"{path} cannot be read as an ONNX graph; export the bundle again") from error


def _graph(model: memoryview) -> OnnxGraph:
    fields = list(read_fields(next(value for number, value in read_fields(model) if number == MODEL_GRAPH)))
    nodes = tuple(_node(value) for number, value in fields if number == GRAPH_NODE)
    tensors = (_tensor(value) for number, value in fields if number == GRAPH_INITIALIZER)
    outputs = (dict(read_fields(value))[VALUE_NAME] for number, value in fields if number == GRAPH_OUTPUT)
    arrays = {name: array for name, array in tensors if array is not None}
    return OnnxGraph(nodes, arrays, tuple(str(name, "utf-8") for name in outputs))


def _node(message: memoryview) -> Node:
    found: dict[int, list[str]] = {NODE_INPUT: [], NODE_OUTPUT: [], NODE_OPERATOR: []}
    attributes: dict[str, Attribute] = {}
    for number, value in read_fields(message):
        if number in found:
            found[number].append(str(value, "utf-8"))
        if number == NODE_ATTRIBUTE:
            attributes |= _attribute(list(read_fields(value)))
    return Node(found[NODE_OPERATOR][0], tuple(found[NODE_INPUT]), tuple(found[NODE_OUTPUT]), attributes)


def _attribute(fields: list[Field]) -> dict[str, Attribute]:
    """One by its name, or none where it is of a kind that is left out."""
    single = dict(fields)
    name, kinds = str(single[ATTRIBUTE_NAME], "utf-8"), (ATTRIBUTE_INTEGER, ATTRIBUTE_INTEGERS)
    if ATTRIBUTE_TEXT in single:
        return {name: str(single[ATTRIBUTE_TEXT], "utf-8", "replace")}
    numbers = tuple(n for number, value in fields if number in kinds for n in _integers(value))
    return {name: numbers} if numbers else {}


def _tensor(message: memoryview) -> tuple[str, NDArray[Any] | None]:
    """A tensor's name and values; no values where they are not stored raw, or of another type."""
    fields = list(read_fields(message))
    single = dict(fields)
    name, raw = str(single[TENSOR_NAME], "utf-8"), single.get(TENSOR_RAW, b"")
    kind = TYPES.get(single[TENSOR_TYPE])
    if kind is None or not len(raw):
        return name, None
    dims = [n for number, value in fields if number == TENSOR_DIMS for n in _integers(value)]
    return name, np.frombuffer(raw, np.dtype(kind).newbyteorder("<")).reshape(dims)


def _integers(value: int | memoryview) -> Iterator[int]:
    """A repeated integer, alone or packed."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = read_varint(value, at)
        yield number
