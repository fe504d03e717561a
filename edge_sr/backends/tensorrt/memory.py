"""The GPU memory of one runner: what frames in flight need, maps that outlive them, one scratch."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

from edge_sr.backends.cuda.driver.protocol import Buffer, Driver, HostBuffer, Stream, aligned
from edge_sr.backends.tensorrt.engine import Execution
from edge_sr.backends.tensorrt.times import Marks
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


class Lane:
    """Everything that one frame in flight owns, for one input size and one output.

    Pinned host memory for the picture in (mapped on an integrated GPU, which then reads it in place) and the
    frame out; device memory for the picture and for the decoder's tiles, ``tile_stride`` bytes apart; the marks
    of its way.
    """

    def __init__(
        self, driver: Driver, image: Shape, frame: Shape, dtype: Any, tile_bytes: int, tiles: int
    ) -> None:
        self.tile_stride = aligned(tile_bytes)
        self._owned: list[Buffer | HostBuffer | Marks] = []
        try:
            self._allocate(driver, image, frame, dtype, tiles)
        except BaseException:
            self.free()
            raise

    def _allocate(self, driver: Driver, image: Shape, frame: Shape, dtype: Any, tiles: int) -> None:
        self.marks = Marks(driver)
        self._owned.append(self.marks)
        self.picture = driver.allocate_host(image, dtype, driver.integrated)
        self._owned.append(self.picture)
        self.frame = driver.allocate_host(frame, dtype, False)
        self._owned.append(self.frame)
        self.tiles = driver.allocate(self.tile_stride * tiles)
        self._owned.append(self.tiles)
        self.image_address = self.picture.address
        if not driver.integrated:
            device_image = driver.allocate(self.picture.nbytes)
            self._owned.append(device_image)
            self.image_address = device_image.address

    def free(self) -> None:
        while self._owned:
            self._owned.pop().free()
