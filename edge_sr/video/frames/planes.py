"""The planes of a frame as arrays: rows in memory may be longer than the picture is wide."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_plane(plane: Any, dtype: Any, width: int) -> NDArray[Any]:
    """The codes of one plane, ``H x W``, without its padding; they share its memory."""
    rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)
    return rows[:, :width]


def write_plane(plane: Any, codes: NDArray[Any], dtype: Any) -> None:
    """Puts ``H x W`` codes into a plane, as ``dtype``."""
    read_plane(plane, dtype, codes.shape[1])[...] = codes
