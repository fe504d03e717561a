"""One input size and one output grid on the device: contexts, positions, tiles, and the frames in flight."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.engine_cache.shapes import Pair
from edge_sr.errors import MemoryLimitError
from edge_sr.grid import SamplingGrid
from edge_sr.runtime.cuda import Buffer, Driver, Graph, Rectangle, Stream
from edge_sr.runtime.runner import PartTimes
from edge_sr.runtime.tensorrt_engine import Engine, Execution
from edge_sr.runtime.tensorrt_memory import DeviceMaps, Lane, Scratch
from edge_sr.runtime.tensorrt_tiles import Cut, cut, lay_out

GraphKey = tuple[int, str, int, int]
"""Lane, part, and what else its addresses come from: the maps, and the generation of the scratch."""


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

    def settle(self) -> None:
        """Wait for all that was enqueued, by whomever it was given up."""
        for stream in (self.up, self.compute, self.down):
            stream.synchronize()


class Session:
    """``image``: the picture's shape; ``tile``: (width, height) of the largest tile to use.

    Raises ``MemoryLimitError``, with everything freed again, when the device has no room for it.
    """

    def __init__(
        self,
        device: Device,
        pair: Pair,
        decoder: Engine,
        image: tuple[int, ...],
        grid: SamplingGrid,
        dtype: np.dtype[Any],
        tile: tuple[int, int],
    ) -> None:
        self._device, self._image, self._dtype = device, image, dtype
        self._pair, self._halo = pair, pair.halo
        height, width = grid.height - 2 * self._halo, grid.width - 2 * self._halo
        self._frame = (1, height, width, 3)
        self._cut = cut(height, width, tile[1], tile[0])
        self._decoder = decoder.execution(self._shapes(), device.compute.handle)
        self._lanes: list[Lane] = []
        self._graphs: dict[GraphKey, Graph | None] = {}
        self._positions: Buffer | None = None
        try:
            device.scratch.lend(self._decoder, device.compute)
            self._upload_positions(grid)
            self._open_lane()
        except BaseException:
            self.close()
            raise

    @property
    def tiles(self) -> Cut:
        return self._cut

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        names = ("maps", *self._pair.positions, *(("image",) if self._pair.base else ()))
        frame, tile = (self._image[2], self._image[1]), (self._cut.width, self._cut.height)
        return {name: self._pair.shape(name, frame, tile) for name in names}

    def _upload_positions(self, grid: SamplingGrid) -> None:
        self._layout = lay_out(grid, self._cut, self._pair.positions, self._halo)
        driver, data = self._device.driver, self._layout.data
        self._positions = driver.allocate(data.nbytes)
        staging = driver.allocate_host(data.shape, data.dtype, False)
        staging.array[:] = data
        driver.upload(staging, self._positions.address, self._device.compute)
        self._device.compute.synchronize()
        staging.free()

    def open_lanes(self, most: int) -> int:
        """Room for up to ``most`` frames in flight; for how many there was memory, at least one."""
        try:
            while len(self._lanes) < most:
                self._open_lane()
        except MemoryLimitError:
            pass
        return len(self._lanes)

    def _open_lane(self) -> None:
        tile_bytes = self._cut.height * self._cut.width * self._pixel_bytes
        shapes = self._image, self._frame, self._dtype
        self._lanes.append(Lane(self._device.driver, *shapes, tile_bytes, self._cut.count))

    @property
    def _pixel_bytes(self) -> int:
        return 3 * self._dtype.itemsize

    def decode(self, maps: DeviceMaps) -> NDArray[Any]:
        """The frame from maps that are on the device already."""
        lane = self._lanes[0]
        self._device.settle()
        self._device.scratch.lend(self._decoder, self._device.compute)
        self._enqueue_tiles(lane, maps.maps_address, maps.image_address)
        self._download(lane)
        return self.collect(0)

    def submit(self, index: int, picture: NDArray[Any], encoder: Execution, maps: DeviceMaps) -> None:
        """Put a whole frame on its way in lane ``index``, whose last frame was collected."""
        lane, device = self._lanes[index], self._device
        lane.picture.array[:] = picture
        if not device.driver.integrated:
            lane.marks.uploading.record(device.up)
            device.driver.upload(lane.picture, lane.image_address, device.up)
            lane.marks.uploaded.record(device.up)
            device.compute.wait(lane.marks.uploaded)
        self._compute(index, encoder, maps)
        self._download(lane)

    def collect(self, index: int) -> NDArray[Any]:
        """Wait for the frame in lane ``index``: ``1 x H x W x 3``, the caller's own copy."""
        lane = self._lanes[index]
        lane.marks.done.synchronize()
        return lane.frame.array.copy()

    def times(self, index: int) -> PartTimes:
        """What the frame collected last from lane ``index`` took; it was submitted there, not decoded."""
        return self._lanes[index].marks.times(uploads=not self._device.driver.integrated)

    def _compute(self, index: int, encoder: Execution, maps: DeviceMaps) -> None:
        lane, device = self._lanes[index], self._device
        for execution in (encoder, self._decoder):
            device.scratch.lend(execution, device.compute)
        image, features = lane.image_address, maps.maps_address
        place = features, device.scratch.generation
        lane.marks.started.record(device.compute)
        self._enqueue(
            (index, "encoder", *place), lambda: device.run(encoder, {"image": image, "maps": features})
        )
        lane.marks.encoded.record(device.compute)
        self._enqueue((index, "decoder", *place), lambda: self._enqueue_tiles(lane, features, image))

    def _enqueue(self, key: GraphKey, work: Callable[[], None]) -> None:
        """Do the work as it is the first time, capture it the second, and launch the graph from then on."""
        if key not in self._graphs or not self._device.graphs:
            self._graphs[key] = None
            work()
            return
        graph = self._graphs[key] = self._graphs[key] or self._capture(work)
        graph.launch(self._device.compute)

    def _capture(self, work: Callable[[], None]) -> Graph:
        driver, compute = self._device.driver, self._device.compute
        driver.begin_capture(compute)
        work()
        return driver.end_capture(compute)

    def _enqueue_tiles(self, lane: Lane, maps_address: int, image_address: int) -> None:
        assert self._positions is not None
        fixed = {"maps": maps_address, **({"image": image_address} if self._pair.base else {})}
        for number, (top, left) in enumerate(self._cut.corners()):
            inputs = {
                name: self._positions.address + self._layout.at(name, top, left)
                for name in self._pair.positions
            }
            frame = lane.tiles.address + number * lane.tile_stride
            self._device.run(self._decoder, {**fixed, **inputs, "frame": frame})

    def _download(self, lane: Lane) -> None:
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

    def close(self) -> None:
        """Wait for what is in flight, then free lanes and positions."""
        self._device.settle()
        while self._graphs:
            _, graph = self._graphs.popitem()
            if graph is not None:
                graph.free()
        while self._lanes:
            self._lanes.pop().free()
        if self._positions is not None:
            positions, self._positions = self._positions, None
            positions.free()
