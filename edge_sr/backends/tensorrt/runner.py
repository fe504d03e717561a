"""The TensorRT runner: two engines, one GPU, up to three frames in flight (``backends/gpu/ring.py``).

Maps never leave the device. ``encode`` and ``decode`` serve one frame at a time, as every backend; ``stream``
keeps three in flight. TensorRT is reached through ``engine``, the GPU through the driver protocol.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from edge_sr.backends.base import OpenRunner, Result, RunnerConfig
from edge_sr.backends.cuda.driver.protocol import Driver, Stream
from edge_sr.backends.gpu.device import Device
from edge_sr.backends.gpu.ring import Ring, Slot, SlotForm, warn_short
from edge_sr.backends.tensorrt.engine import Engine, OutputTile, tile_for
from edge_sr.backends.tensorrt.memory import DeviceMaps, MapsPool, Scratch, size_of
from edge_sr.backends.tensorrt.session import Compute, EngineSession
from edge_sr.backends.tensorrt.tiles import cut
from edge_sr.engines.store.identity import Shape
from edge_sr.engines.store.shapes import PairShapes, pair_of
from edge_sr.errors import MemoryLimitError
from edge_sr.grid import SamplingGrid
from edge_sr.kinds import Precision, Role
from edge_sr.plan import Plan
from edge_sr.tensors import Frame, Image

SMALLEST_TILE = 64
# Grids that are kept open: a live picture comes back to the same few parts and sizes.
KEPT_SESSIONS = 8

FindEngine = Callable[[Role, dict[str, Shape]], Engine]
"""The engine for ``encoder`` or ``decoder`` for these input shapes, or an error naming the command."""


@dataclasses.dataclass(frozen=True)
class PairForm:
    """What the runner knows of a pair of graphs: ``maps_dtype`` lies between them, ``dtype`` at their ends."""

    pair: PairShapes
    maps_dtype: str
    precision: Precision
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, config: RunnerConfig) -> PairForm:
        maps = config.require("encoder").outputs[0]
        return cls(pair_of(config.bundle.description), maps.dtype, config.precision, config.dtype)


@dataclasses.dataclass(frozen=True)
class Board:
    """What the frames of a stream share."""

    session: EngineSession
    encoder: Engine
    maps: DeviceMaps


class TensorRTRunner(OpenRunner):
    """``find`` opens engines as sizes come up; their tiles are the largest that they were built for.

    ``graphs``: capture CUDA graphs.
    """

    # An engine serves whole frames of the sizes it was built for: never strips.
    whole_frames = True

    def __init__(
        self, form: PairForm, backend: str, find: FindEngine, driver: Driver, graphs: bool = True
    ) -> None:
        self.backend = self.encoder_backend = backend
        self.precision, self._dtype = form.precision, form.dtype
        self._pair, self._maps_dtype = form.pair, form.maps_dtype
        self._find = find
        # Told of tiles that changed between two frames, before they are computed in.
        self.reshaped: Callable[[Shape, SamplingGrid], None] = lambda image, grid: None
        # Grows smaller when the device runs out of memory, and stays so.
        self._most_pixels: int | None = None
        self._device = Device.open(driver)
        self._maps = MapsPool(self._device)
        self._compute = Compute(self._device, Scratch(driver), graphs)
        self._sessions: OrderedDict[tuple[Shape, SamplingGrid], EngineSession] = OrderedDict()

    @property
    def compute(self) -> Stream:
        """The stream that engines are enqueued on."""
        return self._device.compute

    @property
    def device_bytes(self) -> int:
        """Device memory taken since the runner was opened, in bytes."""
        return self._device.taken_bytes

    def encode(self, image: Image) -> DeviceMaps:
        """Maps on the device; the picture stays with them for the bilinear base."""
        device, pool = self._device, self._device.pool
        with device.driver.entered():
            encoder = self._find("encoder", {"image": image.shape}).execution
            maps = self._take_maps(image.shape)
            staging = pool.host(image.nbytes)
            try:
                staging.array[: image.nbytes] = image.reshape(-1).view("uint8")
                device.driver.upload(staging, maps.image_address, device.compute, image.nbytes)
                self._compute.prepare(encoder, {"image": image.shape})
                self._compute.enqueue(encoder, {"image": maps.image_address, "maps": maps.maps_address})
            finally:
                device.compute.synchronize()
                pool.give_back_host(staging)
            return maps

    def decode(self, maps: DeviceMaps, image: Image, grid: SamplingGrid) -> Image:
        with self._device.driver.entered():
            while True:
                session = self._session(image.shape, grid)
                self._device.settle()
                try:
                    return session.ring.alone(_from(session, maps))[None]
                except MemoryLimitError:
                    self._shrink(image.shape, grid)

    def tile_of(self, image: Shape, grid: SamplingGrid) -> tuple[int, int]:
        """``(height, width)`` of the tiles that this grid is decoded in."""
        with self._device.driver.entered():
            return self._session(image, grid).tile

    def stream(self, frames: Iterable[Frame], plan: Plan) -> Iterator[Result]:
        """Each frame upscaled, in order, three in flight; ``ShapeError`` unless all have the first one's shape."""
        entered = self._device.driver.entered
        board: Board | None = None
        for frame in frames:
            with entered():
                board = board or self._board((1, *frame.shape), plan.grid)
                landed, fits = board.session.ring.make_room(), self._start(frame, board)
            if landed is not None:
                yield landed
            if not fits:
                yield from self._landing(board.session.ring)
                with entered():
                    board = self._restarted(frame, plan.grid)
        if board is not None:
            yield from self._landing(board.session.ring)

    def _landing(self, ring: Ring) -> Iterator[Result]:
        """All that is under way."""
        while True:
            with self._device.driver.entered():
                landed = ring.land()
            if landed is None:
                return
            yield landed

    def _start(self, frame: Frame, board: Board) -> bool:
        """Send a frame on its way, for which there is a slot; false when the device has too little memory to compute in
        such tiles."""
        session, execution, maps = board.session, board.encoder.execution, board.maps
        try:
            session.prepare(execution)
            session.ring.start(
                frame,
                lambda slot: session.encode(slot, execution, maps),
                lambda slot: session.decode(slot, maps),
            )
        except MemoryLimitError:
            return False
        return True

    def _restarted(self, frame: Frame, grid: SamplingGrid) -> Board:
        """The frame on its way in smaller tiles, and what the next ones share; nothing else is under way."""
        image = (1, *frame.shape)
        while True:
            self._shrink(image, grid)
            board = self._board(image, grid)
            if self._start(frame, board):
                return board

    def _shrink(self, image: Shape, grid: SamplingGrid) -> None:
        """Smaller tiles from here on: TensorRT takes memory of its own when it computes. ``MemoryLimitError`` when
        there are none smaller."""
        maps = self._pair.shape("maps", (image[2], image[1]), (1, 1))
        height, width = self._sessions[image, grid].tile
        asked = self._tile(self._find("decoder", {"maps": maps}), maps)
        tile = _halved(dataclasses.replace(asked, width=width, height=height))
        self._sessions.pop((image, grid)).close()
        self._compute.scratch.free()
        self._device.pool.free()
        self._remember(tile, asked)
        self.reshaped(image, grid)

    def _board(self, image: Shape, grid: SamplingGrid) -> Board:
        """All that the frames share, the encoder's first: the decoder's tiles can do with what is left."""
        self._device.settle()
        encoder, maps = self._find("encoder", {"image": image}), self._take_maps(image)
        self._compute.prepare(encoder.execution, {"image": image})
        session = self._session(image, grid)
        session.ring.forget()
        return Board(session, encoder, maps)

    def _take_maps(self, image: Shape) -> DeviceMaps:
        shape = self._pair.shape("maps", (image[2], image[1]), (1, 1))
        return self._maps.take(size_of(shape, self._maps_dtype), size_of(image, self._dtype.name))

    def _session(self, image: Shape, grid: SamplingGrid) -> EngineSession:
        """The session for this grid; the one that was used least lately makes room for a new one."""
        key = image, grid
        if key not in self._sessions:
            while len(self._sessions) >= KEPT_SESSIONS:
                self._sessions.popitem(last=False)[1].close()
            self._sessions[key] = self._new_session(image, grid)
        self._sessions.move_to_end(key)
        return self._sessions[key]

    def _new_session(self, image: Shape, grid: SamplingGrid) -> EngineSession:
        """A session with the largest tile that the device has room for."""
        maps = self._pair.shape("maps", (image[2], image[1]), (1, 1))
        decoder = self._find("decoder", {"maps": maps})
        asked = tile = self._tile(decoder, maps)
        while True:
            try:
                session = self._opened(decoder, image, grid, tile)
            except MemoryLimitError:
                if self._sessions:
                    self._sessions.popitem(last=False)[1].close()
                else:
                    tile = _halved(tile)
            else:
                self._remember(tile, asked)
                return session

    def _opened(self, decoder: Engine, image: Shape, grid: SamplingGrid, tile: OutputTile) -> EngineSession:
        height, width = grid.height - 2 * self._pair.halo, grid.width - 2 * self._pair.halo
        tiles = cut(height, width, tile.height, tile.width, exact=tile.exact)
        frame, shape = (height, width, 3), (tiles.height, tiles.width)
        form = SlotForm(image[1:], frame, self._dtype, shape, tuple(tiles.boxes()))
        return EngineSession(self._compute, self._pair, decoder.execution, image, grid, tiles, form)

    def _tile(self, decoder: Engine, maps: Shape) -> OutputTile:
        tile = tile_for(decoder.key, {"maps": maps}, self._pair)
        while self._most_pixels is not None and tile.pixels > self._most_pixels:
            tile = _halved(tile)
        return tile

    def _remember(self, tile: OutputTile, asked: OutputTile) -> None:
        if tile != asked:
            self._most_pixels = tile.pixels
            warn_short(f"tiles of {tile.width} x {tile.height} from here on")

    def close(self) -> None:
        """Free all device and pinned memory; engines are closed by who found them."""
        with self._device.driver.entered():
            while self._sessions:
                self._sessions.popitem()[1].close()
            self._maps.free()
            self._device.pool.free()
            self._compute.scratch.free()


def _from(session: EngineSession, maps: DeviceMaps) -> Callable[[Slot], None]:
    return lambda slot: session.decode_held(slot, maps)


def _halved(tile: OutputTile) -> OutputTile:
    width, height = tile.width, tile.height
    if tile.exact or max(width, height) <= SMALLEST_TILE:
        raise MemoryLimitError(
            f"the GPU has no room for one tile of {width} x {height} pixels: close programs or ask for less"
        )
    if height > 1 and 2 * height >= width:
        return OutputTile(width, height // 2)
    return OutputTile(width // 2, height)
