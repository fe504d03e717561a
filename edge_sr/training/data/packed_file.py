"""A packed file of arrays: safetensors, written a part at a time and read as memory maps, however large it is."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import InputError
from edge_sr.files.atomic import write_whole
from edge_sr.machine.optional import require

Array = NDArray[Any]
DTYPES: dict[str, np.dtype[Any]] = {"U8": np.dtype(np.uint8), "F32": np.dtype(np.float32)}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
LENGTH_BYTES, METADATA = 8, "__metadata__"


@dataclasses.dataclass(frozen=True)
class Stack:
    """An array to write, ``dtype`` uint8 or float32, as the ``entries`` of its first axis, one in memory at a time."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    entries: Iterable[Array]

    @classmethod
    def of(cls, array: Array) -> Stack:
        return cls(array.dtype, array.shape, array)


def write_arrays(path: Path, stacks: Mapping[str, Stack], kind: str, **stated: str) -> None:
    """Write arrays whole or not at all; ``kind``, and what else is ``stated``, stand in the file."""
    header: dict[str, Any] = {METADATA: {"edge_sr": kind, **stated}}
    first = 0
    for name, stack in stacks.items():
        end = first + math.prod(stack.shape) * stack.dtype.itemsize
        header[name] = {"dtype": NAMES[stack.dtype], "shape": stack.shape, "data_offsets": [first, end]}
        first = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    entries = (np.ascontiguousarray(entry).tobytes() for stack in stacks.values() for entry in stack.entries)
    write_whole(path, itertools.chain([len(text).to_bytes(LENGTH_BYTES, "little"), text], entries))


def map_arrays(path: Path) -> dict[str, Array]:
    """The arrays of ``path`` as memory maps that never write to it; ``InputError`` when it is not such a file."""
    header, length = _header(path)
    header.pop(METADATA, None)
    return {name: _mapped(path, LENGTH_BYTES + length, entry) for name, entry in header.items()}


def what_is_stated(path: Path) -> dict[str, str]:
    """What ``write_arrays`` was told of ``path`` besides its arrays; ``InputError`` when it is no packed file."""
    stated: dict[str, str] = _header(path)[0].get(METADATA) or {}
    return stated


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """What stands before the arrays, and its length in bytes."""
    safetensors = require("safetensors", "reading packed crops")
    try:
        # Reads the header alone, and refuses one whose arrays are not all there.
        with safetensors.safe_open(path, "np"):
            pass
        with path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            return json.loads(file.read(length)), length
    except Exception as error:  # safetensors raises its own type, which has no public name in older releases
        raise InputError(f"{path} is not a packed file of crops: {error}") from error


def _mapped(path: Path, data: int, entry: dict[str, Any]) -> Array:
    dtype, shape = DTYPES.get(entry["dtype"]), tuple(entry["shape"])
    if dtype is None:
        raise InputError(f"{path}: expected arrays of {' or '.join(DTYPES)}, found {entry['dtype']}")
    if not math.prod(shape):
        return np.empty(shape, dtype)
    # "c": what is written to it stays in memory; PyTorch warns of arrays that cannot be written to.
    # A view of the plain class: every slice of a memmap would cost a call of Python's.
    mapped: Array = np.memmap(path, dtype, "c", data + entry["data_offsets"][0], shape).view(np.ndarray)
    return mapped
