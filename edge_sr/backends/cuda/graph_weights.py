"""The constant tensors of an ONNX file, read without the onnx package, which devices do not install.

Protocol buffers' wire format is a list of fields, each a key, ``number << 3 | type``, and a value. Only what names and
holds the initializers is looked at: ``ModelProto.graph`` (7), ``GraphProto.initializer`` (5) and ``TensorProto``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import BundleError

GRAPH, INITIALIZER = 7, 5
DIMS, DATA_TYPE, NAME, RAW_DATA = 1, 2, 8, 9
# TensorProto.DataType
DTYPES: dict[int, Any] = {1: np.float32, 3: np.int8, 6: np.int32, 7: np.int64, 10: np.float16}

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """The initializers of the graph by name; ``BundleError`` for a file that is none or is cut short."""
    try:
        data = memoryview(path.read_bytes())
        return dict(_initializers(data))
    except (OSError, IndexError, ValueError, UnicodeDecodeError) as error:
        raise BundleError(f"expected an ONNX graph in {path}, found another file: {error}") from error


def _initializers(model: memoryview) -> Iterator[tuple[str, NDArray[Any]]]:
    for graph in _parts(model, GRAPH):
        for tensor in _parts(graph, INITIALIZER):
            yield from _tensor(tensor)


def _parts(message: memoryview, wanted: int) -> Iterator[memoryview]:
    for number, value in _fields(message):
        if number == wanted and isinstance(value, memoryview):
            yield value


def _tensor(message: memoryview) -> Iterator[tuple[str, NDArray[Any]]]:
    dims: list[int] = []
    dtype, name, raw = None, "", None
    for number, value in _fields(message):
        if number == DIMS:
            dims += _packed(value)
        elif number == DATA_TYPE:
            dtype = DTYPES.get(value) if isinstance(value, int) else None
        elif number == NAME and isinstance(value, memoryview):
            name = str(value, "utf-8")
        elif number == RAW_DATA and isinstance(value, memoryview):
            raw = value
    if dtype is not None and raw is not None:
        yield name, np.frombuffer(raw, dtype).reshape(dims)


def _packed(value: int | memoryview) -> list[int]:
    """A repeated number: alone, or many in one field."""
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        value, at = _value(message, at, key & 7)
        yield key >> 3, value


def _value(message: memoryview, at: int, kind: int) -> tuple[int | memoryview, int]:
    if kind == _VARINT:
        return _varint(message, at)
    if kind == _BYTES:
        length, at = _varint(message, at)
    elif kind in (_FIXED32, _FIXED64):
        length = 4 if kind == _FIXED32 else 8
    else:
        raise ValueError(f"field type {kind}")
    if at + length > len(message):
        raise ValueError("the file is cut short")
    return message[at : at + length], at + length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
