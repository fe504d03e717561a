"""The GPU memory that outlives a frame: maps that somebody holds, and the scratch of execution contexts."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

from edge_sr.backends.cuda.driver.protocol import Buffer, Driver, Stream, aligned
from edge_sr.backends.gpu.device import Device
from edge_sr.backends.tensorrt.engine import Execution
from edge_sr.engines.store.identity import Shape
from edge_sr.errors import MemoryLimitError

# Maps that wait for the next of their size.
KEPT_MAPS = 8

ITEM_BYTES = {"uint8": 1, "float16": 2, "float32": 4}


def size_of(shape: Shape, dtype: str) -> int:
    """Bytes of a packed tensor."""
    total = ITEM_BYTES[dtype]
    for length in shape:
        total *= length
    return total


class DeviceMaps:
    """Maps on the device, with the picture they came from; given back to the pool when nobody holds them."""

    def __init__(self, buffer: Buffer, maps_bytes: int) -> None:
        self._buffer = buffer
        self.maps_address = buffer.address
        self.image_address = buffer.address + aligned(maps_bytes)


class MapsPool:
    """Buffers for maps. Those that nobody holds wait for maps of their size: in a film one serves every frame.

    A live picture's parts have no end of sizes, so only ``KEPT_MAPS`` wait.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._all: list[Buffer] = []
        self._waiting: list[Buffer] = []

    def take(self, maps_bytes: int, image_bytes: int) -> DeviceMaps:
        """``MemoryLimitError`` when the device has no room for them."""
        buffer = self._buffer(aligned(maps_bytes) + aligned(image_bytes))
        maps = DeviceMaps(buffer, maps_bytes)
        weakref.finalize(maps, self._waiting.append, buffer).atexit = False
        return maps

    def _buffer(self, nbytes: int) -> Buffer:
        for index, buffer in enumerate(self._waiting):
            if buffer.nbytes == nbytes:
                return self._waiting.pop(index)
        self._keep(KEPT_MAPS - 1)
        try:
            buffer = self._device.driver.allocate(nbytes)
        except MemoryLimitError:
            self._keep(0)
            buffer = self._device.driver.allocate(nbytes)
        self._all.append(buffer)
        return buffer

    def _keep(self, most: int) -> None:
        """Free those that have waited longest; a film that was given up may still use one."""
        if len(self._waiting) > most:
            self._device.settle()
        while len(self._waiting) > most:
            buffer = self._waiting.pop(0)
            self._all.remove(buffer)
            buffer.free()

    def free(self) -> None:
        while self._all:
            self._all.pop().free()
        self._waiting.clear()


@dataclass
class Scratch:
    """The memory that execution contexts compute in. They run one after the other, so they share it.

    ``generation`` counts how often it moved: a captured graph is good for one generation.
    """

    driver: Driver
    buffer: Buffer | None = None
    generation: int = 0

    def lend(self, execution: Execution, busy: Stream) -> None:
        """Give the context its memory; when there is too little, once the work in flight is done."""
        if self.buffer is None or self.buffer.nbytes < execution.scratch_bytes:
            busy.synchronize()
            self.free()
            self.buffer = self.driver.allocate(max(execution.scratch_bytes, 1))
            self.generation += 1
        execution.use_scratch(self.buffer.address, self.buffer.nbytes)

    def free(self) -> None:
        if self.buffer is not None:
            buffer, self.buffer = self.buffer, None
            buffer.free()
