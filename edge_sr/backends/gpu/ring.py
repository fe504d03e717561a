"""Frames on their way through a GPU: a ring of slots, each of which one frame owns from upload to result.

    upload stream     picture -> device        frame n + 2
    compute stream    encoder, decoder tiles   frame n + 1
    download stream   tiles -> frame           frame n

Events keep the order between the streams, and measure. A frame that is on the device already, or whose result stays
there, leaves out what it does not need.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.base import PartTimes, Result
from edge_sr.backends.cuda.driver.protocol import Buffer, Event, HostBuffer, Rectangle, aligned
from edge_sr.backends.gpu.device import Device
from edge_sr.errors import MemoryLimitError, ShapeError
from edge_sr.sizes import Box
from edge_sr.tensors import Frame
from edge_sr.yuv import Surface

FRAMES_IN_FLIGHT = 3


@dataclasses.dataclass(frozen=True)
class SlotForm:
    """What every frame of a ring is: ``image`` in and ``frame`` out, as ``(height, width, 3)``, of one ``dtype``.

    Or ``(3 * height // 2, width)``, where they are YUV's codes. The result is computed in buffers of ``tile`` =
    ``(height, width)``, of which ``tiles`` are the frame's parts.
    """

    image: tuple[int, ...]
    frame: tuple[int, ...]
    dtype: np.dtype[Any]
    tile: tuple[int, int]
    tiles: tuple[Box, ...]

    @property
    def tile_stride(self) -> int:
        """Bytes from one tile to the next on the device."""
        return aligned(self.tile[0] * self.tile[1] * self.pixel_bytes)

    @property
    def pixel_bytes(self) -> int:
        return self.nbytes(self.frame[2:])

    def nbytes(self, shape: tuple[int, ...]) -> int:
        return math.prod(shape) * self.dtype.itemsize


class Slot:
    """One frame's own memory and events; ``number`` tells it from the ring's others.

    ``picture`` and ``result`` are page-locked, ``image`` and ``tiles`` on the device, also where host and GPU share
    their memory: an Orin's GPU reads page-locked memory uncached, and every tile reads the picture. ``source`` is what
    the frame lies in instead of ``image``, and ``target`` what it becomes instead of ``tiles``.
    """

    def __init__(self, device: Device, form: SlotForm, number: int) -> None:
        self.number, self._device, self._form = number, device, form
        self._on_host: list[HostBuffer] = []
        self._on_device: list[Buffer] = []
        self._events: list[Event] = []
        self.source: Surface | None = None
        self.target: Surface | None = None
        try:
            self.picture, self.result = (
                self._pinned(form.nbytes(shape)) for shape in (form.image, form.frame)
            )
            self.image = self._allocated(form.nbytes(form.image))
            self.tiles = self._allocated(form.tile_stride * len(form.tiles))
            self.uploading, self.uploaded = self._event(), self._event()
            self.started, self.encoded, self.computed = self._event(), self._event(), self._event()
            self.downloading, self.done = self._event(), self._event()
        except BaseException:
            self.free()
            raise

    def tile_address(self, index: int) -> int:
        return self.tiles.address + index * self._form.tile_stride

    def upload(self, frame: Frame) -> None:
        """Put a picture on its way to the device; what is computed next waits for it."""
        device, form = self._device, self._form
        _shaped(self.picture, form.image, form.dtype)[:] = frame
        self.uploading.record(device.up)
        device.driver.upload(self.picture, self.image.address, device.up, form.nbytes(form.image))
        self.uploaded.record(device.up)
        device.compute.wait(self.uploaded)

    def adopt(self, surface: Surface) -> None:
        """Take a frame that other code has put on the device; what is computed next waits for it.

        FFmpeg enqueues on the default stream. The surface is held until ``collect`` or ``release``.
        """
        device, theirs = self._device, self._device.driver.default_stream()
        self.source = surface
        self.uploading.record(theirs)
        self.uploaded.record(theirs)
        device.compute.wait(self.uploaded)

    def finish(self) -> None:
        """Put the frame on its way back, or mark when it is where it stays."""
        if self.target is None:
            self.download()
            return
        for event in (self.computed, self.downloading, self.done):
            event.record(self._device.compute)

    def download(self) -> None:
        """Put the frame on its way back, once what is enqueued now has computed its tiles."""
        device, form = self._device, self._form
        pitch, tile_pitch = form.frame[1] * form.pixel_bytes, form.tile[1] * form.pixel_bytes
        self.computed.record(device.compute)
        device.down.wait(self.computed)
        self.downloading.record(device.down)
        for index, tile in enumerate(form.tiles):
            offset = tile.y0 * pitch + tile.x0 * form.pixel_bytes
            place = Rectangle(offset, tile.width * form.pixel_bytes, tile.height, pitch, tile_pitch)
            device.driver.download_rows(self.tile_address(index), self.result, place, device.down)
        self.done.record(device.down)

    def collect(self) -> Any:
        """Wait for the frame: the caller's own copy, or the surface that it stays in."""
        self.done.synchronize()
        target = self.target
        self.release()
        if target is not None:
            return target
        return _shaped(self.result, self._form.frame, self._form.dtype).copy()

    def release(self) -> None:
        """Hold no surface any more; nothing uses it."""
        self.source = self.target = None

    def times(self) -> PartTimes:
        """What the frame collected last took; it was uploaded."""
        return PartTimes(
            upload_ms=self.uploaded.milliseconds_since(self.uploading),
            encoder_ms=self.encoded.milliseconds_since(self.started),
            decoder_ms=self.computed.milliseconds_since(self.encoded),
            download_ms=self.done.milliseconds_since(self.downloading),
        )

    def free(self) -> None:
        """Give the memory back; what was in flight has been waited for."""
        while self._events:
            self._events.pop().free()
        while self._on_host:
            self._device.pool.give_back_host(self._on_host.pop())
        while self._on_device:
            self._device.pool.give_back_device(self._on_device.pop())

    def _pinned(self, nbytes: int) -> HostBuffer:
        self._on_host.append(buffer := self._device.pool.host(nbytes))
        return buffer

    def _allocated(self, nbytes: int) -> Buffer:
        self._on_device.append(buffer := self._device.pool.device(nbytes))
        return buffer

    def _event(self) -> Event:
        self._events.append(event := self._device.driver.event())
        return event


def _shaped(buffer: HostBuffer, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    nbytes = math.prod(shape) * dtype.itemsize
    shaped: NDArray[Any] = buffer.array[:nbytes].view(dtype).reshape(shape)
    return shaped


Enqueue = Callable[[Slot], None]
"""Puts work on the compute stream that reads and writes the slot's device memory."""


class Ring:
    """Up to ``most`` frames under way, in order; slots are made as frames come, the first one at once.

    Raises ``MemoryLimitError``, with everything given back, when there is no room for one.
    """

    def __init__(self, device: Device, form: SlotForm, most: int = FRAMES_IN_FLIGHT) -> None:
        self._device, self._form, self._most = device, form, most
        self._slots = [Slot(device, form, 0)]
        self._idle, self._flying = deque(self._slots), deque[Slot]()

    def make_room(self) -> Result | None:
        """Have a slot for the next frame; the result that had to be waited for, if all were taken."""
        return None if self._has_room() else self.land()

    def start(
        self, frame: Frame | Surface, encode: Enqueue, decode: Enqueue, target: Surface | None = None
    ) -> Result | None:
        """Send a frame on its way; the result that had to be waited for, if all slots were taken.

        With ``target`` it stays on the device, where that says.
        """
        if frame.shape != self._form.image:
            raise ShapeError(
                f"frames in flight must all be {self._form.image}, found {frame.shape}: start anew for another size"
            )
        landed = self.make_room()
        slot, compute = self._idle.popleft(), self._device.compute
        slot.target = target
        if isinstance(frame, Surface):
            slot.adopt(frame)
        else:
            slot.upload(frame)
        slot.started.record(compute)
        encode(slot)
        slot.encoded.record(compute)
        decode(slot)
        slot.finish()
        self._flying.append(slot)
        return landed

    def land(self) -> Result | None:
        """The earliest frame that is still under way, or ``None``."""
        if not self._flying:
            return None
        slot = self._flying.popleft()
        frame = slot.collect()
        self._idle.append(slot)
        return Result(frame, slot.times())

    def alone(self, decode: Enqueue) -> Frame:
        """The frame of what is on the device already, with nothing else under way."""
        slot = self._slots[0]
        decode(slot)
        slot.download()
        frame: Frame = slot.collect()
        return frame

    def forget(self) -> None:
        """Take back the slots of frames that were given up; the device is settled."""
        self._idle, self._flying = deque(self._slots), deque()
        for slot in self._slots:
            slot.release()

    def free(self) -> None:
        """Give all memory back; the device is settled."""
        while self._slots:
            self._slots.pop().free()

    def _has_room(self) -> bool:
        if not self._idle and len(self._slots) < self._most:
            self._grow()
        return bool(self._idle)

    def _grow(self) -> None:
        try:
            self._slots.append(Slot(self._device, self._form, len(self._slots)))
        except MemoryLimitError:
            self._most = len(self._slots)
            warn_short(f"{self._most} instead of {FRAMES_IN_FLIGHT} frames at a time")
        else:
            self._idle.append(self._slots[-1])


def warn_short(consequence: str) -> None:
    warnings.warn(f"the GPU is short of memory: {consequence}", stacklevel=2)
