"""Networks from picture to picture on the GPU: one engine, in windows where pictures are larger than it.

Up to three windows are in flight, over the borders of pictures too. Around it goes what goes around such a
network on the CPU (``backends/single_graph``): pictures are resampled there, before it or after it.
"""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator

from edge_sr.backends.base import Result, RunnerConfig
from edge_sr.backends.cuda.driver.protocol import Driver
from edge_sr.backends.gpu.device import Device
from edge_sr.backends.gpu.ring import Ring, Slot, SlotForm, warn_short
from edge_sr.backends.single_graph.runner import RESAMPLING_REACH
from edge_sr.backends.tensorrt.engine import Engine, profile_index
from edge_sr.backends.tensorrt.memory import Scratch
from edge_sr.backends.tensorrt.session import Compute
from edge_sr.backends.tensorrt.windows import Mosaic, Place, pixels, places, smaller
from edge_sr.bundle import Bundle
from edge_sr.engines.store.identity import Shape
from edge_sr.engines.store.shapes import shape_text
from edge_sr.errors import MemoryLimitError, ShapeError
from edge_sr.sizes import Box
from edge_sr.tensors import Frame, Image

FindWindow = Callable[[Shape], tuple[Engine, Shape]]
"""The engine for pictures of a shape, and the shape of what it is given; or an error naming the command."""


class TensorRTNetwork:
    """A ``DeviceNetwork`` over the engines that ``find`` gives; results are ``scale`` times as large.

    ``reach``: input pixels that an output reads to either side, ``None`` where it reads the whole picture.
    """

    def __init__(self, config: RunnerConfig, backend: str, find: FindWindow, driver: Driver) -> None:
        self.backend, self._find = backend, find
        self._scale, self._reach = config.bundle.description.scale, reach_of(config.bundle)
        self._dtype = config.dtype
        self._device = Device.open(driver)
        # A network is one enqueued call for each window: a captured graph would save nothing.
        self._compute = Compute(self._device, Scratch(driver), graphs=False)
        self._ring: Ring | None = None
        self._engine: Engine | None = None
        self._image: Shape = ()
        self._window: Shape = ()
        # Grows smaller when the device runs out of memory, and stays so.
        self._most_pixels: int | None = None
        # Told of windows that changed between two pictures, before they are computed in.
        self.reshaped: Callable[[Shape], None] = lambda image: None
        self._cut: list[Place] = []

    @property
    def device_bytes(self) -> int:
        """Device memory taken since the network was opened, in bytes."""
        return self._device.taken_bytes

    def encode(self, image: Image) -> Image:
        """The network's picture, ``1 x H x W x 3``, in the dtype of ``image``."""
        (result,) = self.stream(image)
        return result.frame[None]

    def stream(self, frames: Iterable[Frame]) -> Iterator[Result]:
        """Until it ends, or is closed, nothing else may be asked of the network."""
        entered, made, first = self._device.driver.entered, deque[Mosaic](), None
        for frame in frames:
            if first is None:
                first = frame.shape
                with entered():
                    self._board((1, *first))
            if frame.shape != first:
                raise ShapeError(
                    f"frames in flight must all be {first}, found {frame.shape}: start anew for another size"
                )
            while not (yield from self._sent(frame, made)):
                with entered():
                    self._shrink()
        yield from self._landing(made)

    def _sent(self, frame: Frame, made: deque[Mosaic]) -> Generator[Result, None, bool]:
        """Results that land while the frame's windows are sent on their way; false, with nothing under way any more,
        when the device has too little memory to compute in such windows."""
        made.append(Mosaic(frame, self._cut, self._scale))
        for window in self._windows(frame):
            with self._device.driver.entered():
                landed, fits = self._open_ring.make_room(), self._start(window)
            if landed is not None and made[0].lay(landed):
                yield made.popleft().result
            if not fits:
                yield from self._landing(made)
                made.clear()
                return False
        return True

    def _landing(self, made: deque[Mosaic]) -> Iterator[Result]:
        """Every picture whose windows are all under way."""
        while made:
            with self._device.driver.entered():
                landed = self._open_ring.land()
            if landed is None:
                return
            if made[0].lay(landed):
                yield made.popleft().result

    @property
    def _open_ring(self) -> Ring:
        assert self._ring is not None
        return self._ring

    def _windows(self, frame: Frame) -> Iterator[Frame]:
        for row, col in self._cut:
            yield frame[row.start : row.start + self._window[1], col.start : col.start + self._window[2]]

    def _start(self, window: Frame) -> bool:
        """Send a window on its way, for which there is a slot; whether there was memory to compute in."""
        assert self._engine is not None
        execution = self._engine.execution

        def enqueue(slot: Slot) -> None:
            bindings = {"image": slot.image.address, "frame": slot.tile_address(0)}
            self._compute.enqueue(execution, bindings)

        try:
            self._compute.prepare(execution, {"image": self._window})
            self._open_ring.start(window, enqueue, _nothing_more)
        except MemoryLimitError:
            return False
        return True

    def window_for(self, image: Shape) -> Shape:
        """What the engine is given of pictures of this shape, for which there is memory."""
        with self._device.driver.entered():
            self._board(image)
        return self._window

    def _board(self, image: Shape) -> None:
        self._device.settle()
        if self._ring is None or image != self._image:
            self._close_ring()
            self._open(image)
        self._open_ring.forget()

    def _open(self, image: Shape) -> None:
        """A ring for the largest window that the device has room for."""
        engine, asked = self._find(image)
        window, ring = asked, None
        while pixels(window) > (self._most_pixels or math.inf) and (less := self._less(engine, window)):
            window = less
        while ring is None:
            try:
                self._compute.prepare(engine.execution, {"image": window})
                ring = Ring(self._device, self._form(window))
            except MemoryLimitError:
                self._compute.scratch.free()
                window = self._smaller(engine, window)
        self._ring, self._engine, self._image, self._window = ring, engine, image, window
        self._cut = places(image, window, self._reach or 0)
        self._tell(asked)

    def _less(self, engine: Engine, window: Shape) -> Shape | None:
        less = smaller(window, self._reach)
        return None if less is None or profile_index(engine.key, {"image": less}) is None else less

    def _smaller(self, engine: Engine, window: Shape) -> Shape:
        less = self._less(engine, window)
        if less is None:
            raise MemoryLimitError(
                f"the GPU has no room for a window of {shape_text(window)}: close programs, or build for a smaller size"
            )
        return less

    def _shrink(self) -> None:
        """Smaller windows from here on: TensorRT takes memory of its own when it computes. ``MemoryLimitError`` when
        there are none smaller."""
        assert self._engine is not None
        image = self._image
        self._most_pixels = pixels(self._smaller(self._engine, self._window))
        self._close_ring()
        self._compute.scratch.free()
        self._device.pool.free()
        self.reshaped(image)
        self._board(image)

    def _form(self, window: Shape) -> SlotForm:
        height, width = self._scale * window[1], self._scale * window[2]
        box = Box(0, 0, width, height)
        return SlotForm(window[1:], (height, width, 3), self._dtype, (height, width), (box,))

    def _tell(self, asked: Shape) -> None:
        """Windows compute some of a picture twice, so whoever waits for them should know."""
        if self._window != asked:
            warn_short(f"windows of {shape_text(self._window)} from here on")
        elif len(self._cut) > 1:
            size = shape_text(self._image)
            warnings.warn(
                f"pictures of {size} go through an engine for {shape_text(asked)} in {len(self._cut)} windows; "
                f"one of their own size, edge-sr build --sizes {size}, computes less",
                stacklevel=2,
            )

    def _close_ring(self) -> None:
        if self._ring is not None:
            self._device.settle()
            ring, self._ring = self._ring, None
            ring.free()

    def close(self) -> None:
        """Free all device and pinned memory; engines are closed by who found them."""
        with self._device.driver.entered():
            self._close_ring()
            self._device.pool.free()
            self._compute.scratch.free()


def reach_of(bundle: Bundle) -> int | None:
    """Pixels of its input that a network of one graph reads to either side, ``None`` for all of them."""
    description = bundle.description
    # Windows begin wherever an engine's shapes have them, so a network of multiples gets whole pictures.
    whole = description.whole_frames or description.multiple > 1
    return None if whole else description.radius - RESAMPLING_REACH


def _nothing_more(slot: Slot) -> None:
    """One graph encodes and decodes."""
