"""The TensorRT runner: two engines, one GPU, up to three frames in flight.

    upload stream     picture -> device        frame n + 2
    compute stream    encoder, decoder tiles   frame n + 1
    download stream   tiles -> frame           frame n

Maps never leave the device. ``encode`` and ``decode`` serve one frame at a time, as every backend; ``frames``
keeps three in flight. TensorRT is reached through ``tensorrt_engine``, the GPU through ``cuda``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.base import ClosingRunner, PartTimes
from edge_sr.backends.cuda.driver.protocol import Driver
from edge_sr.backends.tensorrt.device import Device
from edge_sr.backends.tensorrt.engine import Engine, Execution, largest_tile
from edge_sr.backends.tensorrt.flight import Flight, say_short
from edge_sr.backends.tensorrt.memory import DeviceMaps, MapsPool, size_of
from edge_sr.backends.tensorrt.session import Session
from edge_sr.engines.store.identity import Shape
from edge_sr.engines.store.shapes import Pair
from edge_sr.errors import MemoryLimitError
from edge_sr.grid import SamplingGrid

SMALLEST_TILE = 64

FindEngine = Callable[[str, dict[str, Shape]], Engine]
"""The engine for ``encoder`` or ``decoder`` for these input shapes, or an error naming the command."""


class TensorRTRunner(ClosingRunner):
    """``find`` opens engines as sizes come up; their tiles are the largest that they were built for.

    ``maps_dtype`` is the encoder's output type. ``graphs``: capture CUDA graphs (TensorRT for RTX has own).
    """

    # An engine serves whole frames of the sizes it was built for: never strips.
    whole_frames = True
    times = PartTimes()

    def __init__(
        self,
        pair: Pair,
        precision: str,
        io: str,
        backend: str,
        find: FindEngine,
        driver: Driver,
        maps_dtype: str,
        graphs: bool = True,
    ) -> None:
        self.backend = self.encoder_backend = backend
        self.precision, self._pair, self._maps_dtype = precision, pair, maps_dtype
        self._find = find
        # Grows smaller when the device runs out of memory, and stays so.
        self._most_pixels: int | None = None
        self._dtype = np.dtype(np.uint8 if io == "uint8" else np.float32)
        self._device = Device.open(driver, graphs)
        self._pool = MapsPool(driver)
        self._encoders: dict[tuple[int, ...], Execution] = {}
        self._session: Session | None = None
        self._session_key: Any = None
        self._free_at_start = self._device.free_bytes()

    @property
    def device_bytes(self) -> int:
        """Device memory taken since the runner was opened, in bytes."""
        return self._free_at_start - self._device.free_bytes()

    def encode(self, image: NDArray[Any]) -> DeviceMaps:
        """Maps on the device; the picture stays with them for the bilinear base."""
        driver, compute = self._device.driver, self._device.compute
        with driver.entered():
            encoder, maps = self._encoder(image.shape), self._take_maps(image.shape)
            staging = driver.allocate_host(image.shape, self._dtype, False)
            try:
                staging.array[:] = image
                driver.upload(staging, maps.image_address, compute)
                self._device.scratch.lend(encoder, compute)
                self._device.run(encoder, {"image": maps.image_address, "maps": maps.maps_address})
            finally:
                compute.synchronize()
                staging.free()
            return maps

    def decode(self, maps: DeviceMaps, image: NDArray[Any], grid: SamplingGrid) -> NDArray[Any]:
        with self._device.driver.entered():
            return self._open_session(image.shape, grid).decode(maps)

    def frames(self, images: Iterable[NDArray[Any]], grid: SamplingGrid) -> Iterator[NDArray[Any]]:
        """Each picture upscaled, in order, three in flight; ``ShapeError`` unless all have the first one's shape.

        Until it ends, or is closed, nothing else may be asked of the runner. ``times`` goes along.
        """
        entered, flight = self._device.driver.entered, None
        for image in images:
            with entered():
                flight = flight or self._board(image.shape, grid)
                landed = flight.start(image)
            if landed is not None:
                self.times = flight.times
                yield landed
        while flight is not None:
            with entered():
                landed = flight.land()
            if landed is None:
                return
            self.times = flight.times
            yield landed

    def _board(self, image: tuple[int, ...], grid: SamplingGrid) -> Flight:
        """All that the frames share, the encoder's first: the decoder's tiles can do with what is left."""
        self._keep_session(image, grid)
        self._device.settle()
        encoder, maps = self._encoder(image), self._take_maps(image)
        self._device.scratch.lend(encoder, self._device.compute)
        session = self._open_session(image, grid)
        return Flight(
            session.lanes, image, lambda lane, picture: session.submit(lane, picture, encoder, maps)
        )

    def _take_maps(self, image: tuple[int, ...]) -> DeviceMaps:
        shape = self._pair.shape("maps", (image[2], image[1]), (1, 1))
        return self._pool.take(size_of(shape, self._maps_dtype), size_of(image, self._dtype.name))

    def _encoder(self, image: tuple[int, ...]) -> Execution:
        if image not in self._encoders:
            engine = self._find("encoder", {"image": image})
            self._encoders[image] = engine.execution({"image": image}, self._device.compute.handle)
        return self._encoders[image]

    def _open_session(self, image: tuple[int, ...], grid: SamplingGrid) -> Session:
        self._keep_session(image, grid)
        if self._session is None:
            self._session = self._new_session(image, grid)
        return self._session

    def _keep_session(self, image: tuple[int, ...], grid: SamplingGrid) -> None:
        """Close the session that is open unless it is one for this."""
        key = (image, *(getattr(grid, name).tobytes() for name in self._pair.positions))
        if key != self._session_key:
            self._close_session()
            self._session_key = key

    def _new_session(self, image: tuple[int, ...], grid: SamplingGrid) -> Session:
        """A session with the largest tile that the device has room for."""
        maps = self._pair.shape("maps", (image[2], image[1]), (1, 1))
        decoder = self._find("decoder", {"maps": maps})
        asked = tile = self._tile_for(decoder, maps)
        while True:
            try:
                session = Session(self._device, self._pair, decoder, image, grid, self._dtype, tile)
            except MemoryLimitError:
                tile = _halved(tile)
            else:
                self._remember(tile, asked)
                return session

    def _tile_for(self, decoder: Engine, maps: Shape) -> tuple[int, int]:
        tile = largest_tile(decoder.key, {"maps": maps}, self._pair)
        while self._most_pixels is not None and tile[0] * tile[1] > self._most_pixels:
            tile = _halved(tile)
        return tile

    def _remember(self, tile: tuple[int, int], asked: tuple[int, int]) -> None:
        if tile != asked:
            self._most_pixels = tile[0] * tile[1]
            say_short(f"tiles of {tile[0]} x {tile[1]} from here on")

    def _close_session(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            session.close()

    def close(self) -> None:
        """Free all device and pinned memory; engines are closed by who found them."""
        with self._device.driver.entered():
            self._close_session()
            self._encoders.clear()
            self._pool.free()
            self._device.scratch.free()


def _halved(tile: tuple[int, int]) -> tuple[int, int]:
    width, height = tile
    if max(width, height) <= SMALLEST_TILE:
        raise MemoryLimitError(
            f"the GPU has no room for one tile of {width} x {height} pixels: close programs or ask for less"
        )
    return (width, height // 2) if height > 1 and 2 * height >= width else (width // 2, height)
