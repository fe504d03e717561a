"""What an ONNX file declares, read without the onnx package, so that a foreign graph is checked before it runs.

Only the fields that matter here are looked at (onnx.proto's numbers); weights are skipped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from edge_sr.files.protocol_buffers import read_fields

GRAPH, FUNCTIONS = 7, 25
NODE, INITIALIZER, INPUT, OUTPUT = 1, 5, 11, 12
OPERATOR, ATTRIBUTE = 4, 5
SUBGRAPH, SUBGRAPHS = 6, 11
# onnx.proto's element types by numpy's names.
TYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    6: "int32",
    7: "int64",
    10: "float16",
    11: "float64",
    16: "bfloat16",
}


@dataclasses.dataclass(frozen=True)
class Declared:
    """Inputs and outputs as name to type, and the operators that hold graphs of their own (loops, branches)."""

    inputs: dict[str, str]
    outputs: dict[str, str]
    nested: tuple[str, ...]


def declared(path: Path) -> Declared:
    """What the file says; ``ValueError`` when it is no ONNX file."""
    return _graph(memoryview(path.read_bytes()))


def _graph(model: memoryview) -> Declared:
    parts = list(_messages(model))
    graphs = [value for number, value in parts if number == GRAPH]
    if len(graphs) != 1:
        raise ValueError(f"it holds {len(graphs)} graphs, expected one")
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    constants: set[str] = set()
    nested: list[str] = []
    for number, value in _messages(graphs[0]):
        if number == NODE:
            nested += [_operator(value)] if _is_nested(value) else []
        elif number == INITIALIZER:
            constants.add(_text(value, 8))
        elif number in (INPUT, OUTPUT):
            (inputs if number == INPUT else outputs)[_text(value, 1)] = _type(value)
    nested += ["a function of its own" for number, _ in parts if number == FUNCTIONS]
    given = {name: kind for name, kind in inputs.items() if name not in constants}
    return Declared(given, outputs, tuple(nested))


def _is_nested(node: memoryview) -> bool:
    attributes = (value for number, value in _messages(node) if number == ATTRIBUTE)
    return any(number in (SUBGRAPH, SUBGRAPHS) for one in attributes for number, _ in _messages(one))


def _operator(node: memoryview) -> str:
    return f"operator {_text(node, OPERATOR)}"


def _type(value: memoryview) -> str:
    """Of a ``ValueInfoProto``: its type, that type's tensor, and the tensor's element type."""
    for number in (2, 1):
        value = next((inner for found, inner in _messages(value) if found == number), memoryview(b""))
    kind = next((inner for found, inner in read_fields(value) if found == 1 and isinstance(inner, int)), 0)
    return TYPES.get(kind, f"type {kind}")


def _text(message: memoryview, number: int) -> str:
    return next(
        (bytes(value).decode("utf-8", "replace") for found, value in _messages(message) if found == number),
        "",
    )


def _messages(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of every field that is no number."""
    return ((number, value) for number, value in read_fields(message) if isinstance(value, memoryview))
