"""Page-locked and device memory by sizes: allocating either takes milliseconds and stops the GPU.

A live picture's parts come in many sizes. Rounded up to a few, the next one finds memory that an earlier one left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from edge_sr.backends.cuda.driver.protocol import ALIGNMENT, Buffer, Driver, HostBuffer
from edge_sr.errors import MemoryLimitError

Memory = TypeVar("Memory", Buffer, HostBuffer)

# Steps between two powers of two: at most a fifth of a buffer is never used.
STEPS = 4


def capacity_for(nbytes: int) -> int:
    """The size of the buffer that ``nbytes`` are kept in."""
    step = max(ALIGNMENT, 1 << max(0, nbytes.bit_length() - 1 - STEPS.bit_length() + 1))
    return -(-max(nbytes, 1) // step) * step


class Pool:
    """Buffers in use, and those that wait for a next use; ``give_back`` what was taken, once nothing uses it."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._device: dict[int, list[Buffer]] = {}
        self._host: dict[int, list[HostBuffer]] = {}

    def device(self, nbytes: int) -> Buffer:
        """Device memory of ``nbytes`` or a little more; ``MemoryLimitError`` when there is not enough."""
        return self._taken(self._device, capacity_for(nbytes), self._driver.allocate)

    def host(self, nbytes: int) -> HostBuffer:
        """Page-locked host memory, as bytes."""

        def allocate(count: int) -> HostBuffer:
            return self._driver.allocate_host((count,), np.uint8, False)

        return self._taken(self._host, capacity_for(nbytes), allocate)

    def give_back_device(self, buffer: Buffer) -> None:
        self._device.setdefault(buffer.nbytes, []).append(buffer)

    def give_back_host(self, buffer: HostBuffer) -> None:
        self._host.setdefault(buffer.nbytes, []).append(buffer)

    def free(self) -> None:
        """Free all that waits."""
        for on_device in self._device.values():
            while on_device:
                on_device.pop().free()
        for on_host in self._host.values():
            while on_host:
                on_host.pop().free()

    def _taken(
        self, waiting: dict[int, list[Memory]], size: int, allocate: Callable[[int], Memory]
    ) -> Memory:
        if waiting.get(size):
            return waiting[size].pop()
        try:
            return allocate(size)
        except MemoryLimitError:
            self.free()
            return allocate(size)
