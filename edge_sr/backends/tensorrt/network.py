"""Networks from picture to picture on the GPU: one engine, in windows where pictures are larger than it.

Up to three windows are in flight, over the borders of pictures too. Around it goes what goes around such a
network on the CPU (``picture_runner``): pictures are resampled there, before it or after it.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.base import PartTimes
from edge_sr.backends.cuda.driver.protocol import Driver
from edge_sr.backends.tensorrt.device import Device, Lanes
from edge_sr.backends.tensorrt.engine import Engine, profile_index
from edge_sr.backends.tensorrt.flight import Flight, require_alike, say_short
from edge_sr.backends.tensorrt.tiles import cut
from edge_sr.backends.tensorrt.windows import Mosaic, Place, places, smaller
from edge_sr.engines.store.identity import Shape
from edge_sr.errors import MemoryLimitError

FindWindow = Callable[[Shape], tuple[Engine, Shape]]
"""The engine for pictures of a shape, and the shape of what it is given; or an error naming the command."""


class WindowSession:
    """One engine for windows of one shape, ``1 x h x w x 3``.

    Raises ``MemoryLimitError``, with everything freed again, when the device has no room for it.
    """

    def __init__(
        self, device: Device, engine: Engine, window: Shape, scale: int, dtype: np.dtype[Any]
    ) -> None:
        self._device = device
        self._execution = engine.execution({"image": window}, device.compute.handle)
        device.scratch.lend(self._execution, device.compute)
        height, width = scale * window[1], scale * window[2]
        whole = cut(height, width, height, width)
        self.lanes = Lanes(device, window, (1, height, width, 3), dtype, whole)

    def submit(self, index: int, picture: NDArray[Any]) -> None:
        """Put a window on its way in lane ``index``, whose last frame was collected."""
        lane, compute = self.lanes.send(index, picture), self._device.compute
        lane.marks.started.record(compute)
        bindings = {"image": lane.image_address, "frame": lane.tiles.address}
        self._device.run(self._execution, bindings)
        lane.marks.encoded.record(compute)
        self.lanes.fetch(lane)

    def close(self) -> None:
        """Wait for what is in flight, then free its lanes."""
        self._device.settle()
        self.lanes.free()


class TensorRTNetwork:
    """A ``DeviceNetwork`` over the engines that ``find`` gives; results are ``scale`` times as large.

    ``reach``: input pixels that an output reads to either side, ``None`` where it reads the whole picture.
    """

    times = PartTimes()

    def __init__(
        self, scale: int, reach: int | None, io: str, backend: str, find: FindWindow, driver: Driver
    ) -> None:
        self.backend, self._find = backend, find
        self._scale, self._reach = scale, reach
        self._dtype = np.dtype(np.uint8 if io == "uint8" else np.float32)
        # A network is one enqueued call for each window: a captured graph would save nothing.
        self._device = Device.open(driver, graphs=False)
        self._session: WindowSession | None = None
        self._image: Shape | None = None
        self._window: Shape = ()
        self._cut: list[Place] = []
        self._free_at_start = self._device.free_bytes()

    @property
    def device_bytes(self) -> int:
        """Device memory taken since the network was opened, in bytes."""
        return self._free_at_start - self._device.free_bytes()

    def encode(self, image: NDArray[Any]) -> NDArray[Any]:
        """The network's picture, ``1 x H x W x 3``, in the dtype of ``image``."""
        (result,) = self.stream([image])
        return result

    def stream(self, images: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """Until it ends, or is closed, nothing else may be asked of the network. ``times`` goes along."""
        entered, made = self._device.driver.entered, deque[Mosaic]()
        flight = first = None
        for image in images:
            first = first or image.shape
            require_alike(first, image.shape)
            with entered():
                flight = flight or self._board(first)
            made.append(Mosaic(image, self._cut, self._scale))
            for window in self._windows(image):
                with entered():
                    landed = flight.start(window)
                if landed is not None and made[0].lay(landed, flight.times):
                    yield self._done(made)
        while flight is not None and made:
            with entered():
                landed = flight.land()
            assert landed is not None
            if made[0].lay(landed, flight.times):
                yield self._done(made)

    def _done(self, made: deque[Mosaic]) -> NDArray[Any]:
        mosaic = made.popleft()
        self.times = mosaic.times
        return mosaic.frame

    def _windows(self, image: NDArray[Any]) -> Iterator[NDArray[Any]]:
        for row, col in self._cut:
            yield image[:, row.start : row.start + self._window[1], col.start : col.start + self._window[2]]

    def _board(self, image: Shape) -> Flight:
        self._device.settle()
        if self._session is None or image != self._image:
            self._close_session()
            self._session, self._image = self._new_session(image), image
        return Flight(self._session.lanes, self._window, self._session.submit)

    def _new_session(self, image: Shape) -> WindowSession:
        """A session with the largest window that the device has room for."""
        engine, asked = self._find(image)
        self._window, session = asked, None
        while session is None:
            try:
                session = WindowSession(self._device, engine, self._window, self._scale, self._dtype)
            except MemoryLimitError:
                self._device.scratch.free()
                less = smaller(self._window, self._reach)
                if less is None or profile_index(engine.key, {"image": less}) is None:
                    raise
                self._window = less
        self._cut = places(image, self._window, self._reach or 0)
        self._tell(image, asked)
        return session

    def _tell(self, image: Shape, asked: Shape) -> None:
        """Windows compute some of a picture twice, so whoever waits for them should know."""
        if self._window != asked:
            say_short(f"windows of {_text(self._window)} from here on")
        elif len(self._cut) > 1:
            warnings.warn(
                f"pictures of {_text(image)} go through an engine for {_text(asked)} in {len(self._cut)} windows; "
                f"one of their own size, edge-sr build --sizes {_text(image)}, computes less",
                stacklevel=2,
            )

    def _close_session(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            session.close()

    def close(self) -> None:
        """Free all device and pinned memory; engines are closed by who found them."""
        with self._device.driver.entered():
            self._close_session()
            self._device.scratch.free()


def _text(shape: Shape) -> str:
    return f"{shape[2]}x{shape[1]}"
