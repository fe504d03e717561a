"""A device in host memory that checks how it is used: order, sizes, streams, lifetimes.

It runs nothing until somebody waits for it, as late as a real GPU may, and keeps vector clocks: two uses of
one address, one of them a write, must be ordered by a stream, an event or the host, or ``DeviceError`` is
raised. Use after free, a free while work is pending, copies beyond a buffer, host memory touched too early,
times asked of events that have not passed, and what is left at ``close`` are errors too. ``memory_limit``,
``pinned_limit`` and ``fail_after`` imitate weak ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda.driver.protocol import HostBuffer, Rectangle, Stream, aligned
from edge_sr.errors import DeviceError, MemoryLimitError
from support.cuda.order import HOST, Clock, Order, merge
from support.cuda.queue import FakeEvent, FakeGraph, FakeStream, Owned, Work


@dataclass(eq=False)
class FakeBuffer:
    """Memory at made-up addresses; ``data`` holds its bytes."""

    driver: FakeDriver
    address: int
    nbytes: int
    data: NDArray[np.uint8]
    host: bool = False
    freed: bool = False

    def free(self) -> None:
        self.driver.release(self)


class FakeHostBuffer(FakeBuffer):
    shape: tuple[int, ...]
    dtype: Any
    mapped: bool

    @property
    def array(self) -> NDArray[Any]:
        """The array, after a check that the host waited for all device work on it; counts as a write."""
        self.driver.touch(self)
        shaped: NDArray[Any] = self.data[: self.nbytes].view(self.dtype).reshape(self.shape)
        return shaped


AnyBuffer = TypeVar("AnyBuffer", bound=FakeBuffer)


@dataclass
class FakeDriver:
    """The checking device; ``launch`` is what a stand-in for an engine enqueues its work with."""

    integrated: bool = False
    memory_limit: int = 1 << 34
    pinned_limit: int = 1 << 34
    fail_after: int | None = None
    name: str = "checking device in host memory"
    buffers: list[FakeBuffer] = field(default_factory=list)
    order: Order = field(default_factory=Order)
    pending: list[tuple[int, int, Work]] = field(default_factory=list)
    host_clock: Clock = field(default_factory=lambda: {HOST: 0})
    streams: dict[int, FakeStream] = field(default_factory=dict)
    owned: list[Owned] = field(default_factory=list)
    capture: tuple[int, list[Work]] | None = None
    allocations: int = 0
    _next_address: int = 1 << 20
    _depth: int = 0

    can_capture: bool = True

    @contextmanager
    def entered(self) -> Iterator[None]:
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def require_entered(self) -> None:
        if self._depth == 0:
            raise DeviceError("the device was used outside of entered(): no context is current")

    def allocate(self, nbytes: int) -> FakeBuffer:
        if self.used() + nbytes > self.memory_limit:
            raise MemoryLimitError(f"the device has no room for {nbytes:,} bytes")
        return self._keep(FakeBuffer(self, *self._noise(nbytes)))

    def allocate_host(self, shape: tuple[int, ...], dtype: Any, mapped: bool) -> FakeHostBuffer:
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if sum(buffer.nbytes for buffer in self.buffers if buffer.host) + nbytes > self.pinned_limit:
            raise MemoryLimitError(f"the host has no room to pin {nbytes:,} bytes")
        buffer = FakeHostBuffer(self, *self._noise(nbytes), host=True)
        buffer.shape, buffer.dtype, buffer.mapped = shape, np.dtype(dtype), mapped
        return self._keep(buffer)

    def _noise(self, nbytes: int) -> tuple[int, int, NDArray[np.uint8]]:
        """Address, size and bytes of a new buffer. Never written, it is noise, so that reading it shows."""
        address = self._next_address
        self._next_address += aligned(nbytes) + (1 << 16)
        return address, nbytes, np.random.default_rng(address).integers(0, 256, aligned(nbytes), np.uint8)

    def _keep(self, buffer: AnyBuffer) -> AnyBuffer:
        self.require_entered()
        if self.capture is not None:
            raise DeviceError("memory was allocated while a graph is captured")
        self.buffers.append(buffer)
        self.allocations += 1
        return buffer

    def used(self) -> int:
        return sum(buffer.nbytes for buffer in self.buffers if not buffer.host)

    def memory(self) -> tuple[int, int]:
        self.require_entered()
        return self.memory_limit - self.used(), self.memory_limit

    def stream(self) -> FakeStream:
        self.require_entered()
        stream = FakeStream(self, len(self.streams) + 1)
        self.streams[stream.handle] = stream
        return stream

    def default_stream(self) -> FakeStream:
        return FakeStream(self, -1)

    def event(self) -> FakeEvent:
        self.require_entered()
        return FakeEvent(self)

    def find(self, address: int, nbytes: int) -> tuple[FakeBuffer, int]:
        """The live buffer that holds all of the span, and the span's offset in it."""
        for buffer in self.buffers:
            if buffer.address <= address and address + nbytes <= buffer.address + buffer.nbytes:
                return buffer, address - buffer.address
        raise DeviceError(f"{nbytes} bytes at {address:#x} lie in no live buffer: freed, or beyond its end")

    def view(self, address: int, nbytes: int) -> NDArray[np.uint8]:
        """The bytes of a span, for the stand-in of an engine."""
        buffer, offset = self.find(address, nbytes)
        return buffer.data[offset : offset + nbytes]

    def upload(self, source: HostBuffer, address: int, stream: Stream, nbytes: int | None = None) -> None:
        count = source.nbytes if nbytes is None else nbytes

        def copy() -> None:
            self.view(address, count)[:] = self.view(source.address, count)

        spans = [(source.address, count)], [(address, count)]
        self.enqueue(stream, Work("upload", *spans, copy))

    def download_rows(self, address: int, target: HostBuffer, place: Rectangle, stream: Stream) -> None:
        extent = (place.rows - 1) * place.source_pitch + place.row_bytes
        laid = (place.rows - 1) * place.pitch + place.row_bytes

        def copy() -> None:
            source = self.view(address, extent)
            into = self.view(target.address + place.offset, laid)
            for index in range(place.rows):
                row = source[index * place.source_pitch :][: place.row_bytes]
                into[index * place.pitch : index * place.pitch + place.row_bytes] = row

        start = target.address + place.offset
        lines = [(start + index * place.pitch, place.row_bytes) for index in range(place.rows)]
        self.enqueue(stream, Work("download", [(address, extent)], lines, copy))

    def launch(self, handle: int, work: Work) -> None:
        """Enqueue a kernel's or an engine's work on the stream with this handle."""
        if handle not in self.streams:
            raise DeviceError(f"work was enqueued on stream {handle:#x}, which this device never made")
        self.enqueue(self.streams[handle], work)

    def enqueue(self, stream: Stream, work: Work) -> None:
        assert isinstance(stream, FakeStream)
        self.require_entered()
        self._wear_out()
        for start, nbytes in work.reads + work.writes:
            self.find(start, nbytes)
        if self.capture is not None and self.capture[0] == stream.handle:
            self.capture[1].append(work)
            return
        merge(stream.clock, self.host_clock)
        tick = stream.clock[stream.handle] = stream.clock.get(stream.handle, 0) + 1
        self.order.add(stream.handle, stream.clock, work.what, work.reads, work.writes)
        self.pending.append((stream.handle, tick, work))

    def _wear_out(self) -> None:
        if self.fail_after is not None:
            self.fail_after -= 1
            if self.fail_after < 0:
                raise DeviceError("the GPU was lost (imitated); run the command again with --resume")

    def touch(self, buffer: FakeBuffer) -> None:
        """The host reads or writes a host buffer."""
        self.find(buffer.address, buffer.nbytes)
        self.host_clock[HOST] += 1
        span = [(buffer.address, buffer.nbytes)]
        self.order.add(HOST, self.host_clock, "the host", [], span)

    def catch_up(self, clock: Clock) -> None:
        """The host waits: run what happened before ``clock``, in the order it was enqueued."""
        self.require_entered()
        if self.capture is not None:
            raise DeviceError("the host waited for a stream while a graph is captured")
        merge(self.host_clock, clock)
        due = [item for item in self.pending if self.host_clock.get(item[0], 0) >= item[1]]
        self.pending = [item for item in self.pending if self.host_clock.get(item[0], 0) < item[1]]
        for _, _, work in due:
            work.action()
        # What the host has seen done can no longer race with what comes later.
        self.order.settle(self.host_clock)

    def release(self, buffer: FakeBuffer) -> None:
        self.require_entered()
        if buffer.freed:
            raise DeviceError("memory was freed twice")
        using = self.order.using(buffer.address, buffer.nbytes, self.host_clock)
        if using is not None:
            raise DeviceError(f"memory was freed while {using.what} may still use it")
        self.buffers = [other for other in self.buffers if other is not buffer]
        buffer.freed = True

    def require_no_capture(self, stream: FakeStream, what: str) -> None:
        if self.capture is not None and self.capture[0] == stream.handle:
            raise DeviceError(f"{what} was put into the graph that is captured")

    def begin_capture(self, stream: Stream) -> None:
        if self.capture is not None:
            raise DeviceError("a graph is being captured already")
        self.capture = (stream.handle, [])

    def end_capture(self, stream: Stream) -> FakeGraph:
        if self.capture is None or self.capture[0] != stream.handle:
            raise DeviceError("no graph is being captured on this stream")
        work, self.capture = self.capture[1], None
        return FakeGraph(self, work)

    def close(self) -> None:
        """Check that everything was waited for and freed."""
        if self.pending:
            raise DeviceError(f"closed while {len(self.pending)} pieces of work were pending")
        if self.buffers:
            sizes = ", ".join(f"{buffer.nbytes:,}" for buffer in self.buffers)
            raise DeviceError(f"leak: {len(self.buffers)} buffers were never freed ({sizes} bytes)")
        if self.owned:
            kinds = ", ".join(sorted({type(item).__name__ for item in self.owned}))
            raise DeviceError(f"leak: {len(self.owned)} of {kinds} were never freed")
