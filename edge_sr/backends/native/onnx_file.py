"""What an ONNX file says of its graph, read without the package ``onnx``: nodes and initialisers.

The base install runs networks whose weights are in such files. Only what the exporter writes is understood. For
the messages see https://onnx.ai/onnx/repo-docs/IR.html, for their bytes
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import BundleError

# Numbers of the fields that are read, in ModelProto, GraphProto, NodeProto and TensorProto.
MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INITIALIZER = 1, 5
NODE_INPUT, NODE_OUTPUT, NODE_OPERATOR = 1, 2, 4
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
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Field = tuple[int, Any]


@dataclasses.dataclass(frozen=True)
class Node:
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class OnnxGraph:
    """``nodes`` in the file's order; ``arrays``: initialisers by name."""

    nodes: tuple[Node, ...]
    arrays: dict[str, NDArray[Any]]

    def maker(self, value: str) -> Node | None:
        """The node that computes ``value``."""
        return next((node for node in self.nodes if value in node.outputs), None)

    def readers(self, value: str) -> list[Node]:
        return [node for node in self.nodes if value in node.inputs]


def read_graph(path: Path) -> OnnxGraph:
    """The graph of an ONNX file; ``BundleError`` where it is none, or holds tensors of another kind."""
    try:
        return _graph(memoryview(path.read_bytes()))
    except (IndexError, KeyError, StopIteration, UnicodeDecodeError, ValueError) as error:
        raise BundleError(f"{path} cannot be read as an ONNX graph; export the bundle again") from error


def _graph(model: memoryview) -> OnnxGraph:
    fields = list(_fields(next(value for number, value in _fields(model) if number == MODEL_GRAPH)))
    nodes = tuple(_node(value) for number, value in fields if number == GRAPH_NODE)
    arrays = dict(_tensor(value) for number, value in fields if number == GRAPH_INITIALIZER)
    return OnnxGraph(nodes, arrays)


def _node(message: memoryview) -> Node:
    found: dict[int, list[str]] = {NODE_INPUT: [], NODE_OUTPUT: [], NODE_OPERATOR: []}
    for number, value in _fields(message):
        if number in found:
            found[number].append(str(value, "utf-8"))
    return Node(found[NODE_OPERATOR][0], tuple(found[NODE_INPUT]), tuple(found[NODE_OUTPUT]))


def _tensor(message: memoryview) -> tuple[str, NDArray[Any]]:
    """A tensor's name and values; those that are not stored raw are left out, for no weight is stored otherwise."""
    fields = list(_fields(message))
    single = dict(fields)
    dims = [n for number, value in fields if number == TENSOR_DIMS for n in _integers(value)]
    raw = single.get(TENSOR_RAW, b"")
    array = np.frombuffer(raw, np.dtype(TYPES[single[TENSOR_TYPE]]).newbyteorder("<"))
    return str(single[TENSOR_NAME], "utf-8"), array.reshape(dims) if len(raw) else array


def _integers(value: int | memoryview) -> Iterator[int]:
    """A repeated integer, alone or packed."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = _varint(value, at)
        yield number


def _fields(message: memoryview) -> Iterator[Field]:
    """Number and value of each field: an integer, or bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        size, at = _varint(message, at) if kind == BYTES else ({FIXED64: 8, FIXED32: 4}[kind], at)
        if at + size > len(message):
            raise ValueError("a field is longer than its message")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """An integer in groups of seven bits, lowest first, and the place after it."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
