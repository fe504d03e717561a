"""What an ONNX file declares, read without the onnx package, so that a foreign graph is checked before it runs.

Only the fields that matter here are looked at (onnx.proto's numbers); weights are skipped.
"""

from __future__ import annotations

import dataclasses
import mmap
from collections.abc import Iterator
from pathlib import Path

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

Buffer = bytes | mmap.mmap


@dataclasses.dataclass(frozen=True)
class Declared:
    """Inputs and outputs as name to type, and the operators that hold graphs of their own (loops, branches)."""

    inputs: dict[str, str]
    outputs: dict[str, str]
    nested: tuple[str, ...]


def declared(path: Path) -> Declared:
    """What the file says; ``ValueError`` when it is no ONNX file."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _graph(data)


def _graph(model: Buffer) -> Declared:
    parts = list(_fields(model))
    graphs = [value for number, value in parts if number == GRAPH]
    if len(graphs) != 1:
        raise ValueError(f"it holds {len(graphs)} graphs, expected one")
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    constants: set[str] = set()
    nested: list[str] = []
    for number, value in _fields(graphs[0]):
        if number == NODE:
            nested += [_operator(value)] if _is_nested(value) else []
        elif number == INITIALIZER:
            constants.add(_text(value, 8))
        elif number in (INPUT, OUTPUT):
            (inputs if number == INPUT else outputs)[_text(value, 1)] = _type(value)
    nested += ["a function of its own" for number, _ in parts if number == FUNCTIONS]
    given = {name: kind for name, kind in inputs.items() if name not in constants}
    return Declared(given, outputs, tuple(nested))


def _is_nested(node: Buffer) -> bool:
    attributes = (value for number, value in _fields(node) if number == ATTRIBUTE)
    return any(number in (SUBGRAPH, SUBGRAPHS) for one in attributes for number, _ in _fields(one))


def _operator(node: Buffer) -> str:
    return f"operator {_text(node, OPERATOR)}"


def _type(value: Buffer) -> str:
    """Of a ``ValueInfoProto``: its type, that type's tensor, and the tensor's element type."""
    for number in (2, 1):
        value = next((inner for found, inner in _fields(value) if found == number), b"")
    kind = next((inner for found, inner in _numbers(value) if found == 1), 0)
    return TYPES.get(kind, f"type {kind}")


def _text(message: Buffer, number: int) -> str:
    return next(
        (bytes(value).decode("utf-8", "replace") for found, value in _fields(message) if found == number), ""
    )


def _fields(message: Buffer) -> Iterator[tuple[int, Buffer]]:
    """Number and content of every field that has a length."""
    for number, _, content in _walk(message):
        if content is not None:
            yield number, content


def _numbers(message: Buffer) -> Iterator[tuple[int, int]]:
    for number, value, content in _walk(message):
        if content is None:
            yield number, value


def _walk(message: Buffer) -> Iterator[tuple[int, int, Buffer | None]]:
    """Every field of a message of protocol buffers: number, value, and content where it has a length."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        content: Buffer | None = None
        value = 0
        if wire == 0:
            value, place = _varint(message, place)
        elif wire == 2:
            length, place = _varint(message, place)
            content, place = message[place : place + length], place + length
        elif wire in (1, 5):
            place += 8 if wire == 1 else 4
        else:
            raise ValueError(f"field of kind {wire}, expected protocol buffers")
        if place > len(message):
            raise ValueError("it ends early")
        yield number, value, content


def _varint(message: Buffer, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise ValueError("it ends early")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number without end")
