"""Arrays that are lent out and come back.

Maps are tens of megabytes: fresh pages for every frame would cost as much as several layers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LINE = 64  # bytes: stores of whole vectors cross no cache line


class _Lease:
    """Lends a buffer to numpy: when the last view of it is gone, the buffer goes back to its pool."""

    def __init__(self, view: Array, buffer: Array, pool: list[Array]) -> None:
        self.__array_interface__ = view.__array_interface__
        self._buffer, self._pool = buffer, pool

    def __del__(self) -> None:
        self._pool.append(self._buffer)


class Lender:
    """Gives arrays of one dtype, each valid for as long as anything refers to it."""

    def __init__(self, dtype: Any) -> None:
        self._dtype = np.dtype(dtype)
        self._pool: list[Array] = []

    def lend(self, shape: tuple[int, ...]) -> Array:
        """An array of that shape, aligned to cache lines; its contents are whatever was there before."""
        values = math.prod(shape)
        try:
            buffer = self._pool.pop()
        except IndexError:
            buffer = None
        if buffer is None or buffer.size < values:
            buffer = _aligned(values, self._dtype)
        return np.asarray(_Lease(buffer[:values].reshape(shape), buffer, self._pool))


def _aligned(values: int, dtype: np.dtype[Any]) -> Array:
    room = np.empty(values * dtype.itemsize + LINE, np.uint8)
    begin = -room.ctypes.data % LINE
    return room[begin : begin + values * dtype.itemsize].view(dtype)
