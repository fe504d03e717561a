"""The GPU memory that outlives a frame: maps that somebody holds, and the scratch of execution contexts."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field

from edge_sr.backends.cuda.driver.protocol import Buffer, Driver, Stream, aligned
from edge_sr.backends.tensorrt.engine import Execution
from edge_sr.engines.store.identity import Shape

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


@dataclass
class MapsPool:
    """Buffers for maps, kept by size: in a film the same one serves every frame."""

    driver: Driver
    idle: dict[int, list[Buffer]] = field(default_factory=dict)
    all: list[Buffer] = field(default_factory=list)

    def take(self, maps_bytes: int, image_bytes: int) -> DeviceMaps:
        nbytes = aligned(maps_bytes) + aligned(image_bytes)
        waiting = self.idle.setdefault(nbytes, [])
        buffer = waiting.pop() if waiting else self._allocate(nbytes)
        maps = DeviceMaps(buffer, maps_bytes)
        weakref.finalize(maps, waiting.append, buffer).atexit = False
        return maps

    def _allocate(self, nbytes: int) -> Buffer:
        buffer = self.driver.allocate(nbytes)
        self.all.append(buffer)
        return buffer

    def free(self) -> None:
        while self.all:
            self.all.pop().free()
        self.idle.clear()


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
