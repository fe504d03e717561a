"""The GPU in use, and frames on their way through it: the three streams, and each frame's own memory."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.base import PartTimes
from edge_sr.backends.cuda.driver.protocol import Driver, Rectangle, Stream
from edge_sr.backends.tensorrt.engine import Execution
from edge_sr.backends.tensorrt.memory import Lane, Scratch
from edge_sr.backends.tensorrt.tiles import Cut
from edge_sr.engines.store.identity import Shape
from edge_sr.errors import MemoryLimitError


@dataclasses.dataclass
class Device:
    """One GPU in use: the streams for upload, compute and download, and the contexts' scratch."""

    driver: Driver
    up: Stream
    compute: Stream
    down: Stream
    scratch: Scratch
    graphs: bool

    @classmethod
    def open(cls, driver: Driver, graphs: bool) -> Device:
        with driver.entered():
            streams = driver.stream(), driver.stream(), driver.stream()
        return cls(driver, *streams, Scratch(driver), graphs and driver.can_capture)

    def run(self, execution: Execution, bindings: dict[str, int]) -> None:
        """Enqueue one engine on the compute stream."""
        for name, address in bindings.items():
            execution.bind(name, address)
        execution.enqueue(self.compute.handle)

    def free_bytes(self) -> int:
        """Device memory that nobody has taken."""
        with self.driver.entered():
            return self.driver.memory()[0]

    def settle(self) -> None:
        """Wait for all that was enqueued, by whomever it was given up."""
        for stream in (self.up, self.compute, self.down):
            stream.synchronize()


class Lanes:
    """A place for each frame in flight, all of one shape in and one out, which comes in the tiles of ``cut``.

    Raises ``MemoryLimitError``, with everything freed again, when the device has no room for one.
    """

    def __init__(self, device: Device, image: Shape, frame: Shape, dtype: np.dtype[Any], cut: Cut) -> None:
        self._device, self._image, self._frame = device, image, frame
        self._dtype, self._cut = dtype, cut
        self._lanes: list[Lane] = []
        self._add()

    def __getitem__(self, index: int) -> Lane:
        return self._lanes[index]

    def open(self, most: int) -> int:
        """Room for up to ``most`` frames in flight; for how many there was memory, at least one."""
        try:
            while len(self._lanes) < most:
                self._add()
        except MemoryLimitError:
            pass
        return len(self._lanes)

    def _add(self) -> None:
        tile_bytes = self._cut.height * self._cut.width * self._pixel_bytes
        shapes = self._image, self._frame, self._dtype
        self._lanes.append(Lane(self._device.driver, *shapes, tile_bytes, self._cut.count))

    @property
    def _pixel_bytes(self) -> int:
        return 3 * self._dtype.itemsize

    def send(self, index: int, picture: NDArray[Any]) -> Lane:
        """Put a picture on its way to the device; what is computed next waits for it."""
        lane, device = self._lanes[index], self._device
        lane.picture.array[:] = picture
        if not device.driver.integrated:
            lane.marks.uploading.record(device.up)
            device.driver.upload(lane.picture, lane.image_address, device.up)
            lane.marks.uploaded.record(device.up)
            device.compute.wait(lane.marks.uploaded)
        return lane

    def fetch(self, lane: Lane) -> None:
        """Put the frame on its way back, once what is enqueued now has computed its tiles."""
        device, pitch = self._device, self._frame[2] * self._pixel_bytes
        lane.marks.computed.record(device.compute)
        device.down.wait(lane.marks.computed)
        lane.marks.downloading.record(device.down)
        for number, (top, left) in enumerate(self._cut.corners()):
            offset = top * pitch + left * self._pixel_bytes
            place = Rectangle(offset, self._cut.width * self._pixel_bytes, self._cut.height, pitch)
            device.driver.download_rows(
                lane.tiles.address + number * lane.tile_stride, lane.frame, place, device.down
            )
        lane.marks.done.record(device.down)

    def collect(self, index: int) -> NDArray[Any]:
        """Wait for the frame in lane ``index``: ``1 x H x W x 3``, the caller's own copy."""
        lane = self._lanes[index]
        lane.marks.done.synchronize()
        return lane.frame.array.copy()

    def times(self, index: int) -> PartTimes:
        """What the frame collected last from lane ``index`` took; it was sent there."""
        return self._lanes[index].marks.times(uploads=not self._device.driver.integrated)

    def free(self) -> None:
        """All of them; what was in flight has been waited for."""
        while self._lanes:
            self._lanes.pop().free()
