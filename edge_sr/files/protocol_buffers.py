"""Protocol buffers, which ONNX files are written in, read without a package for them.

For their bytes see https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Field = tuple[int, Any]
"""A field's number and its value: an ``int``, or a ``memoryview`` of its bytes."""


def read_fields(message: memoryview) -> Iterator[Field]:
    """Each field of a message; ``ValueError`` where it is none or ends early."""
    at = 0
    while at < len(message):
        key, at = read_varint(message, at)
        kind = key & 7
        if kind not in (VARINT, FIXED64, BYTES, FIXED32):
            raise ValueError(f"field of kind {kind}, expected protocol buffers")
        if kind == VARINT:
            value, at = read_varint(message, at)
            yield key >> 3, value
            continue
        size, at = read_varint(message, at) if kind == BYTES else ({FIXED64: 8, FIXED32: 4}[kind], at)
        if at + size > len(message):
            raise ValueError("it ends early")
        yield key >> 3, message[at : at + size]
        at += size


def read_varint(message: memoryview, at: int) -> tuple[int, int]:
    """An integer in groups of seven bits, lowest first, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at == len(message):
            raise ValueError("it ends early")
        byte, at = message[at], at + 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number without end")
