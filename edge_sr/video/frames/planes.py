"""The planes of a frame as arrays: rows in memory may be longer than the picture is wide."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def codes_type(bits: int, *, big_endian: bool = False) -> np.dtype[Any]:
    """Of codes of so many bits, up to 16."""
    return np.dtype(np.uint8 if bits <= 8 else ">u2" if big_endian else "<u2")


def read_plane(plane: Any, dtype: Any, width: int) -> NDArray[Any]:
    """The codes of one plane, ``H x W``, without its padding; they share its memory."""
    rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)
    return rows[:, :width]


def write_plane(plane: Any, codes: NDArray[Any], dtype: Any) -> None:
    """Puts ``H x W`` codes into a plane, as ``dtype``."""
    read_plane(plane, dtype, codes.shape[1])[...] = codes
