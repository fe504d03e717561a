"""One input size and one output grid on the device: where the pixels lie, what is worked with, frames in flight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_sr.backends.cuda.device import Arena, KernelDevice
from edge_sr.backends.cuda.driver.protocol import Buffer, DeviceGraph, aligned
from edge_sr.backends.cuda.encoder_run import FEATURES, Features, Variant
from edge_sr.backends.cuda.kernels import Launch
from edge_sr.backends.cuda.network.form import DecoderForm, EncoderForm
from edge_sr.backends.cuda.programs import DecoderProgram, DevicePositions, EncoderProgram
from edge_sr.backends.cuda.strips import Strip, cut_strips
from edge_sr.backends.cuda.video.pictures import YuvPictures, rgb_slots
from edge_sr.backends.gpu.ring import Ring, Slot
from edge_sr.grid import SamplingGrid
from edge_sr.yuv import YuvColours

Shape = tuple[int, ...]
HALF = 2
# Which slot's, of what, and whether the conversion from or to YUV is in it: a surface lies elsewhere each time, and a
# graph knows one address.
GraphKey = tuple[int, str, bool]


@dataclass(frozen=True)
class ResidentNetwork:
    """A network whose weights are on the device. ``halo``: LR rows that its encoder reads beyond a strip's own."""

    encoder_form: EncoderForm
    decoder_form: DecoderForm
    encoder: EncoderProgram
    decoder: DecoderProgram
    variant: Variant
    halo: int


class Workspace:
    """Features and maps of up to ``rows`` rows of ``width`` pixels; ``MemoryLimitError`` without room for them."""

    def __init__(self, device: KernelDevice, network: ResidentNetwork, rows: int, width: int) -> None:
        self._pool, self._width = device.gpu.pool, width
        self._feature = aligned(rows * width * HALF * network.encoder_form.channels)
        maps = rows * width * HALF * network.decoder_form.channels
        self._buffer: Buffer = self._pool.device(FEATURES * self._feature + maps)

    def features(self, rows: int, maps: int | None = None) -> Features:
        """For a picture of so many rows; ``maps``: where the maps go instead."""
        first, feature = self._buffer.address, self._feature
        own = first + FEATURES * feature
        return Features(first, first + feature, first + 2 * feature, maps or own, rows, self._width)

    def free(self) -> None:
        """Give it back; nothing uses it any more."""
        self._pool.give_back_device(self._buffer)


class Session:
    """Pictures of ``image`` = ``1 x h x w x 3`` at one grid.

    ``own_rows``: LR rows that are encoded at a time, the halo not counted; ``encodes``: whether it is for pictures, or
    else for maps that are there already; ``yuv``: frames come and go in these colours. Raises ``MemoryLimitError``,
    with everything given back, when the device has no room for it.
    """

    def __init__(
        self,
        device: KernelDevice,
        network: ResidentNetwork,
        image: Shape,
        grid: SamplingGrid,
        dtype: np.dtype[Any],
        own_rows: int,
        encodes: bool,
        yuv: YuvColours | None = None,
    ) -> None:
        self._device, self._network, self._image = device, network, image
        self._io = "uint8" if dtype == np.uint8 else "float"
        self._item = dtype.itemsize
        self.strips = cut_strips(image[1], grid.rows, network.halo, own_rows)
        self._graphs: dict[GraphKey, DeviceGraph | None] = {}
        self._arena = Arena(device)
        self._workspace: Workspace | None = None
        self._ring: Ring | None = None
        self._yuv: YuvPictures | None = None
        try:
            if encodes:
                tallest = max(strip.bottom - strip.top for strip in self.strips)
                self._workspace = Workspace(device, network, tallest, image[2])
            self._positions = self._place(grid)
            size = len(grid.cols), len(grid.rows)
            self._yuv = None if yuv is None else YuvPictures(device, yuv, (image[2], image[1]), size, dtype)
            form = rgb_slots(image, size, dtype) if self._yuv is None else self._yuv.slots
            self._ring = Ring(device.gpu, form)
        except BaseException:
            self.close()
            raise

    @property
    def ring(self) -> Ring:
        assert self._ring is not None
        return self._ring

    def _place(self, grid: SamplingGrid) -> DevicePositions:
        place = self._arena.place
        return DevicePositions(
            rows=place(grid.rows),
            cols=place(grid.cols),
            offset_y=place(grid.offset_y),
            offset_x=place(grid.offset_x),
            ratio=place(np.asarray(grid.ratio, np.float32)),
            height=len(grid.rows),
            width=len(grid.cols),
        )

    def encode(self, slot: Slot) -> None:
        """A frame in one piece: its encoder, captured the second time."""
        if len(self.strips) > 1:
            return
        read, encoder = self._read(slot), self._whole(slot)[0]
        if slot.source is None:
            self._repeat((slot.number, "encoder", True), [*read, *encoder])
        else:
            self._device.launch(read)
            self._repeat((slot.number, "encoder", False), encoder)

    def decode(self, slot: Slot) -> None:
        """A frame in one piece: its decoder; one in strips: all of it, and its kernels are long enough to launch."""
        written = [] if self._yuv is None else [self._yuv.written(slot)]
        if len(self.strips) > 1:
            self._device.launch(self._read(slot))
            self._in_strips(self._pictures(slot))
        elif slot.target is None:
            self._repeat((slot.number, "decoder", True), [*self._whole(slot)[1], *written])
            return
        else:
            self._repeat((slot.number, "decoder", False), self._whole(slot)[1])
        self._device.launch(written)

    def _read(self, slot: Slot) -> list[Launch]:
        """A YUV frame to its picture."""
        return [] if self._yuv is None else [self._yuv.read(slot)]

    def decode_held(self, slot: Slot, image: int, maps: int | None) -> None:
        """From a picture on the device, and from its maps where they are there already."""
        pictures = image, slot.tile_address(0)
        if maps is None:
            self._in_strips(pictures)
            return
        everything = Strip(0, self._image[1], 0, self._positions.height)
        self._device.launch([self._decode(everything, maps, *pictures)])

    def _in_strips(self, pictures: tuple[int, int]) -> None:
        for strip in self.strips:
            for launches in self._launches(strip, *pictures):
                self._device.launch(launches)

    def _whole(self, slot: Slot) -> tuple[list[Launch], list[Launch]]:
        return self._launches(self.strips[0], *self._pictures(slot))

    def _pictures(self, slot: Slot) -> tuple[int, int]:
        """Where the RGB picture and the enlarged one lie."""
        return (slot.image.address, slot.tile_address(0)) if self._yuv is None else self._yuv.addresses

    def _repeat(self, key: GraphKey, launches: list[Launch]) -> None:
        self._device.capture.repeat(self._graphs, key, lambda: self._device.launch(launches))

    def _launches(self, strip: Strip, image: int, result: int) -> tuple[list[Launch], list[Launch]]:
        """Encoder's and decoder's for one strip. The decoder counts the frame's rows: maps begin where row 0 would."""
        assert self._workspace is not None
        network, width = self._network, self._image[2]
        features = self._workspace.features(strip.bottom - strip.top)
        first_row = image + strip.top * width * 3 * self._item
        resident = self._device.resident
        encode = network.encoder.launches(first_row, self._io, features, network.variant, resident)
        whole = features.maps - strip.top * width * HALF * network.decoder_form.channels
        return encode, [self._decode(strip, whole, image, result)]

    def _decode(self, strip: Strip, maps: int, image: int, result: int) -> Launch:
        at, columns = self._positions, self._positions.width
        part = DevicePositions(
            at.rows + 4 * strip.first,
            at.cols,
            at.offset_y + 4 * strip.first,
            at.offset_x,
            at.ratio,
            strip.last - strip.first,
            columns,
        )
        output = result + strip.first * columns * 3 * self._item
        size = self._image[1], self._image[2]
        return self._network.decoder.launch(maps, image, self._io, size, part, output)

    def close(self) -> None:
        """Wait for what is in flight, then give everything back."""
        self._device.gpu.settle()
        while self._graphs:
            _, graph = self._graphs.popitem()
            if graph is not None:
                graph.free()
        if self._ring is not None:
            ring, self._ring = self._ring, None
            ring.free()
        self._arena.free()
        if self._yuv is not None:
            yuv, self._yuv = self._yuv, None
            yuv.free()
        if self._workspace is not None:
            workspace, self._workspace = self._workspace, None
            workspace.free()
