"""One input size and one output grid on the device: contexts, positions, tiles, and the frames in flight."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.engine_cache.shapes import input_shape
from edge_sr.grid import SamplingGrid
from edge_sr.runtime.cuda import Buffer, Driver, Graph, Rectangle, Stream
from edge_sr.runtime.tensorrt_engine import Engine, Execution
from edge_sr.runtime.tensorrt_memory import DeviceMaps, Lane, Scratch
from edge_sr.runtime.tensorrt_tiles import Cut, cut, lay_out
from edge_sr.spec import NetworkSpec

POSITIONS = ("rows", "cols", "offset_y", "offset_x", "ratio")


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


class Session:
    """``image``: the picture's shape; ``tile``: (width, height) of the largest tile to use.

    Raises ``MemoryLimitError``, with everything freed again, when the device has no room for it.
    """

    def __init__(
        self,
        device: Device,
        network: NetworkSpec,
        decoder: Engine,
        image: tuple[int, ...],
        grid: SamplingGrid,
        dtype: np.dtype[Any],
        tile: tuple[int, int],
    ) -> None:
        self._device, self._image, self._dtype = device, image, dtype
        self._halo = 1 if network.decoder.mode == 4 else 0
        height, width = grid.height - 2 * self._halo, grid.width - 2 * self._halo
        self._frame = (1, height, width, 3)
        self._cut = cut(height, width, tile[1], tile[0])
        self._base = network.decoder.bilinear_base
        self._decoder = decoder.execution(self._shapes(network), device.compute.handle)
        self._lanes: list[Lane] = []
        self._graphs: dict[int, tuple[int, Graph]] = {}
        self._warm: set[int] = set()
        self._positions: Buffer | None = None
        try:
            device.scratch.lend(self._decoder, device.compute)
            self._upload_positions(grid)
            self._lane(0)
        except BaseException:
            self.close()
            raise

    @property
    def tiles(self) -> Cut:
        return self._cut

    def _shapes(self, network: NetworkSpec) -> dict[str, tuple[int, ...]]:
        names = ("maps", *POSITIONS, *(("image",) if self._base else ()))
        frame, tile = (self._image[2], self._image[1]), (self._cut.width, self._cut.height)
        return {name: input_shape(network, name, frame, tile) for name in names}

    def _upload_positions(self, grid: SamplingGrid) -> None:
        self._layout = lay_out(grid, self._cut, self._halo)
        driver, data = self._device.driver, self._layout.data
        self._positions = driver.allocate(data.nbytes)
        staging = driver.allocate_host(data.shape, data.dtype, False)
        staging.array[:] = data
        driver.upload(staging, self._positions.address, self._device.compute)
        self._device.compute.synchronize()
        staging.free()

    def _lane(self, index: int) -> Lane:
        while len(self._lanes) <= index:
            tile_bytes = self._cut.height * self._cut.width * self._pixel_bytes
            shapes = self._image, self._frame, self._dtype
            self._lanes.append(Lane(self._device.driver, *shapes, tile_bytes, self._cut.count))
        return self._lanes[index]

    @property
    def _pixel_bytes(self) -> int:
        return 3 * self._dtype.itemsize

    def decode(self, maps: DeviceMaps) -> NDArray[Any]:
        """The frame from maps that are on the device already."""
        lane = self._lane(0)
        self._device.scratch.lend(self._decoder, self._device.compute)
        self._enqueue_tiles(lane, maps.maps_address, maps.image_address)
        self._download(lane)
        return self.collect(0)

    def submit(self, index: int, picture: NDArray[Any], encoder: Execution, maps: DeviceMaps) -> None:
        """Put a whole frame on its way in lane ``index``, whose last frame was collected."""
        lane, device = self._lane(index), self._device
        lane.picture.array[:] = picture
        if not device.driver.integrated:
            device.driver.upload(lane.picture, lane.image_address, device.up)
            lane.uploaded.record(device.up)
            device.compute.wait(lane.uploaded)
        self._compute(index, encoder, maps)
        self._download(lane)

    def collect(self, index: int) -> NDArray[Any]:
        """Wait for the frame in lane ``index``: ``1 x H x W x 3``, the caller's own copy."""
        lane = self._lane(index)
        lane.done.synchronize()
        return lane.frame.array.copy()

    def _compute(self, index: int, encoder: Execution, maps: DeviceMaps) -> None:
        """Enqueue encoder and decoder; from a lane's third frame on, as one captured graph."""
        for execution in (encoder, self._decoder):
            self._device.scratch.lend(execution, self._device.compute)
        generation, graph = self._graphs.get(index, (-1, None))
        if graph is not None and generation == self._device.scratch.generation:
            graph.launch(self._device.compute)
        elif self._device.graphs and index in self._warm:
            self._capture(index, encoder, maps)
        else:
            self._enqueue_frame(self._lane(index), encoder, maps)
            self._warm.add(index)

    def _capture(self, index: int, encoder: Execution, maps: DeviceMaps) -> None:
        driver, compute = self._device.driver, self._device.compute
        driver.begin_capture(compute)
        self._enqueue_frame(self._lane(index), encoder, maps)
        graph = driver.end_capture(compute)
        self._graphs[index] = (self._device.scratch.generation, graph)
        graph.launch(compute)

    def _enqueue_frame(self, lane: Lane, encoder: Execution, maps: DeviceMaps) -> None:
        self._device.run(encoder, {"image": lane.image_address, "maps": maps.maps_address})
        self._enqueue_tiles(lane, maps.maps_address, lane.image_address)

    def _enqueue_tiles(self, lane: Lane, maps_address: int, image_address: int) -> None:
        assert self._positions is not None
        fixed = {"maps": maps_address, **({"image": image_address} if self._base else {})}
        for number, (top, left) in enumerate(self._cut.corners()):
            inputs = {name: self._positions.address + self._layout.at(name, top, left) for name in POSITIONS}
            frame = lane.tiles.address + number * lane.tile_stride
            self._device.run(self._decoder, {**fixed, **inputs, "frame": frame})

    def _download(self, lane: Lane) -> None:
        device, pitch = self._device, self._frame[2] * self._pixel_bytes
        lane.computed.record(device.compute)
        device.down.wait(lane.computed)
        for number, (top, left) in enumerate(self._cut.corners()):
            offset = top * pitch + left * self._pixel_bytes
            place = Rectangle(offset, self._cut.width * self._pixel_bytes, self._cut.height, pitch)
            device.driver.download_rows(
                lane.tiles.address + number * lane.tile_stride, lane.frame, place, device.down
            )
        lane.done.record(device.down)

    def close(self) -> None:
        """Wait for what is in flight, then free lanes and positions."""
        for stream in (self._device.up, self._device.compute, self._device.down):
            stream.synchronize()
        self._graphs.clear()
        while self._lanes:
            self._lanes.pop().free()
        if self._positions is not None:
            positions, self._positions = self._positions, None
            positions.free()
