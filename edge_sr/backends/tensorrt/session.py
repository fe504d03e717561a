"""One input size and one output grid on the device: contexts, positions, tiles, and the frames in flight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda.driver.protocol import Buffer, Graph
from edge_sr.backends.tensorrt.device import Device, Lanes
from edge_sr.backends.tensorrt.engine import Engine, Execution
from edge_sr.backends.tensorrt.memory import DeviceMaps, Lane
from edge_sr.backends.tensorrt.tiles import Cut, cut, lay_out
from edge_sr.engines.store.shapes import Pair
from edge_sr.grid import SamplingGrid

GraphKey = tuple[int, str, int, int]
"""Lane, part, and what else its addresses come from: the maps, and the generation of the scratch."""


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
        self._device, self._image = device, image
        self._pair, self._halo = pair, pair.halo
        height, width = grid.height - 2 * self._halo, grid.width - 2 * self._halo
        self._cut = cut(height, width, tile[1], tile[0])
        self._decoder = decoder.execution(self._shapes(), device.compute.handle)
        self._graphs: dict[GraphKey, Graph | None] = {}
        self._positions: Buffer | None = None
        self._lanes: Lanes | None = None
        try:
            device.scratch.lend(self._decoder, device.compute)
            self._upload_positions(grid)
            self._lanes = Lanes(device, image, (1, height, width, 3), dtype, self._cut)
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

    @property
    def lanes(self) -> Lanes:
        """The frames in flight; one has room already."""
        assert self._lanes is not None
        return self._lanes

    def decode(self, maps: DeviceMaps) -> NDArray[Any]:
        """The frame from maps that are on the device already."""
        lane = self.lanes[0]
        self._device.settle()
        self._device.scratch.lend(self._decoder, self._device.compute)
        self._enqueue_tiles(lane, maps.maps_address, maps.image_address)
        self.lanes.fetch(lane)
        return self.lanes.collect(0)

    def submit(self, index: int, picture: NDArray[Any], encoder: Execution, maps: DeviceMaps) -> None:
        """Put a whole frame on its way in lane ``index``, whose last frame was collected."""
        self._compute(index, self.lanes.send(index, picture), encoder, maps)
        self.lanes.fetch(self.lanes[index])

    def _compute(self, index: int, lane: Lane, encoder: Execution, maps: DeviceMaps) -> None:
        device = self._device
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

    def close(self) -> None:
        """Wait for what is in flight, then free lanes and positions."""
        self._device.settle()
        while self._graphs:
            _, graph = self._graphs.popitem()
            if graph is not None:
                graph.free()
        if self._lanes is not None:
            lanes, self._lanes = self._lanes, None
            lanes.free()
        if self._positions is not None:
            positions, self._positions = self._positions, None
            positions.free()
