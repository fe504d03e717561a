"""One output grid on the device: its tiles, their positions, the frames under way, and the graphs of both engines."""

from __future__ import annotations

from collections.abc import Mapping

from edge_sr.backends.cuda.driver.protocol import Buffer, DeviceGraph
from edge_sr.backends.gpu.device import Device
from edge_sr.backends.gpu.graphs import Capture
from edge_sr.backends.gpu.ring import Ring, Slot, SlotForm
from edge_sr.backends.tensorrt.engine import Execution
from edge_sr.backends.tensorrt.memory import DeviceMaps, Scratch
from edge_sr.backends.tensorrt.tiles import Cut, lay_out
from edge_sr.engines.store.identity import Shape
from edge_sr.engines.store.shapes import PairShapes
from edge_sr.grid import SamplingGrid

GraphKey = tuple[int, str, int]
"""Slot, part, and the address of the maps."""


class Compute:
    """The engines' way to the compute stream: their shapes, their scratch, and graphs of what is repeated.

    A graph is good for the shapes and the scratch that it was captured with.
    """

    def __init__(self, device: Device, scratch: Scratch, graphs: bool) -> None:
        self.device, self.scratch = device, scratch
        self.capture = Capture(device, graphs)

    def prepare(self, execution: Execution, shapes: Mapping[str, Shape]) -> tuple[int, int]:
        """The context in these shapes with its memory; what a graph of it depends on."""
        execution.reshape(shapes, self.device.compute.handle)
        self.scratch.lend(execution, self.device.compute)
        return execution.generation, self.scratch.generation

    def enqueue(self, execution: Execution, bindings: Mapping[str, int]) -> None:
        for name, address in bindings.items():
            execution.bind(name, address)
        execution.enqueue(self.device.compute.handle)


class EngineSession:
    """Frames of ``image`` = ``1 x h x w x 3`` at one grid, decoded in the tiles of ``cut``.

    Raises ``MemoryLimitError``, with everything given back, when the device has no room for it.
    """

    def __init__(
        self,
        compute: Compute,
        pair: PairShapes,
        decoder: Execution,
        image: Shape,
        grid: SamplingGrid,
        cut: Cut,
        form: SlotForm,
    ) -> None:
        self._compute, self._device = compute, compute.device
        self._pair, self._decoder, self._image = pair, decoder, image
        self._graphs: dict[GraphKey, DeviceGraph | None] = {}
        self._captured_for: tuple[tuple[int, int], ...] = ()
        self._shapes = _decoder_shapes(pair, image, cut)
        self._layout = lay_out(grid, cut, pair.positions, pair.halo)
        self.tile = cut.height, cut.width
        self._corners = [(box.y0, box.x0) for box in cut.boxes()]
        self._positions: Buffer | None = None
        self._ring: Ring | None = None
        try:
            compute.prepare(decoder, self._shapes)
            self._positions = self._uploaded_positions()
            self._ring = Ring(self._device, form)
        except BaseException:
            self.close()
            raise

    def _uploaded_positions(self) -> Buffer:
        pool, compute, data = self._device.pool, self._device.compute, self._layout.data
        positions, staging = pool.device(data.nbytes), pool.host(data.nbytes)
        staging.array[: data.nbytes] = data
        self._device.driver.upload(staging, positions.address, compute, data.nbytes)
        compute.synchronize()
        pool.give_back_host(staging)
        return positions

    @property
    def ring(self) -> Ring:
        assert self._ring is not None
        return self._ring

    def prepare(self, encoder: Execution) -> None:
        """Both contexts in the shapes of these frames; graphs captured in others, or elsewhere, are dropped."""
        wanted = (encoder, {"image": self._image}), (self._decoder, self._shapes)
        for execution, shapes in wanted:
            self._compute.prepare(execution, shapes)
        # Again, for the second may have moved the scratch that the first was lent.
        made_for = tuple(self._compute.prepare(execution, shapes) for execution, shapes in wanted)
        if made_for != self._captured_for:
            self._drop_graphs()
            self._captured_for = made_for

    def encode(self, slot: Slot, encoder: Execution, maps: DeviceMaps) -> None:
        bindings = {"image": slot.image.address, "maps": maps.maps_address}
        key = slot.number, "encoder", maps.maps_address
        self._compute.capture.repeat(self._graphs, key, lambda: self._compute.enqueue(encoder, bindings))

    def decode(self, slot: Slot, maps: DeviceMaps) -> None:
        key = slot.number, "decoder", maps.maps_address
        image, features = slot.image.address, maps.maps_address
        self._compute.capture.repeat(self._graphs, key, lambda: self._enqueue_tiles(slot, features, image))

    def decode_held(self, slot: Slot, maps: DeviceMaps) -> None:
        """From maps, and a picture, that are on the device already."""
        self._compute.prepare(self._decoder, self._shapes)
        self._enqueue_tiles(slot, maps.maps_address, maps.image_address)

    def _enqueue_tiles(self, slot: Slot, maps_address: int, image_address: int) -> None:
        assert self._positions is not None
        fixed = {"maps": maps_address, **({"image": image_address} if self._pair.base else {})}
        for number, (top, left) in enumerate(self._corners):
            inputs = {
                name: self._positions.address + self._layout.at(name, top, left)
                for name in self._pair.positions
            }
            self._compute.enqueue(self._decoder, {**fixed, **inputs, "frame": slot.tile_address(number)})

    def _drop_graphs(self) -> None:
        graphs = [graph for graph in self._graphs.values() if graph is not None]
        self._graphs.clear()
        if graphs:
            self._device.compute.synchronize()
        for graph in graphs:
            graph.free()

    def close(self) -> None:
        """Wait for what is in flight, then give everything back."""
        self._device.settle()
        self._drop_graphs()
        if self._ring is not None:
            ring, self._ring = self._ring, None
            ring.free()
        if self._positions is not None:
            positions, self._positions = self._positions, None
            self._device.pool.give_back_device(positions)


def _decoder_shapes(pair: PairShapes, image: Shape, cut: Cut) -> dict[str, Shape]:
    names = ("maps", *pair.positions, *(("image",) if pair.base else ()))
    frame, tile = (image[2], image[1]), (cut.width, cut.height)
    return {name: pair.shape(name, frame, tile) for name in names}
