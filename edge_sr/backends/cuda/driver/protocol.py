"""What the GPU runner asks of a driver: memory, streams, events, copies and captured graphs.

One protocol, implemented over cuda-bindings and over pycuda; tests add a checking one in host memory. The work that a
TensorRT engine enqueues goes past it, on ``Stream.handle``. Sizes are bytes, addresses are the device's.
"""

from __future__ import annotations

import ctypes
from contextlib import AbstractContextManager
from typing import Any, Protocol

from numpy.typing import NDArray

# TensorRT wants every tensor's address to be a multiple of this.
ALIGNMENT = 256


def aligned(size: int) -> int:
    """``size`` rounded up to the alignment of tensor addresses."""
    return -(-size // ALIGNMENT) * ALIGNMENT


class Event(Protocol):
    """A point in a stream's work; freed once, by whoever asked for it."""

    def record(self, stream: Stream) -> None: ...

    def synchronize(self) -> None:
        """Make the host wait until the recorded point has passed."""

    def milliseconds_since(self, earlier: Event) -> float:
        """Time between two points that have both passed, and in this order."""

    def free(self) -> None: ...


class Stream(Protocol):
    """A queue of device work; ``handle`` is the CUstream as a number."""

    handle: int

    def wait(self, event: Event) -> None:
        """Make later work of this stream wait for the event; the host goes on."""

    def synchronize(self) -> None: ...


class Buffer(Protocol):
    """Device memory; freed once, by whoever allocated it."""

    address: int
    nbytes: int

    def free(self) -> None: ...


class HostBuffer(Protocol):
    """Page-locked host memory of one shape and dtype. ``address``: the device's, when it is mapped, else 0.

    ``array`` may only be touched while no device work uses it.
    """

    address: int
    nbytes: int

    @property
    def array(self) -> NDArray[Any]: ...

    def free(self) -> None: ...


class DeviceGraph(Protocol):
    """Captured work, launched again with one call; addresses and shapes are those of the capture.

    Freed once, by whoever captured it. Events recorded meanwhile would measure nothing: none may be.
    """

    def launch(self, stream: Stream) -> None: ...

    def free(self) -> None: ...


class Driver(Protocol):
    """One GPU, opened on the primary context that TensorRT and others share."""

    name: str
    integrated: bool

    @property
    def can_capture(self) -> bool:
        """Whether graphs can be captured: it takes cuda-bindings."""

    def entered(self) -> AbstractContextManager[None]:
        """Make the device current for this thread; its errors become ours."""

    def allocate(self, nbytes: int) -> Buffer:
        """Device memory; ``MemoryLimitError`` when there is not enough."""

    def allocate_host(self, shape: tuple[int, ...], dtype: Any, mapped: bool) -> HostBuffer: ...

    def stream(self) -> Stream:
        """A stream that neither waits for the legacy default stream nor is waited for by it."""

    def default_stream(self) -> Stream:
        """The stream that code works on which names none, such as FFmpeg's; it is nobody's to free."""

    def event(self) -> Event: ...

    def upload(self, source: HostBuffer, address: int, stream: Stream, nbytes: int | None = None) -> None:
        """Copy a host buffer, or its first ``nbytes``, to ``address``; it must stay as it is until then."""

    def download_rows(self, address: int, target: HostBuffer, place: Rectangle, stream: Stream) -> None:
        """Copy rows from ``address`` on into a rectangle of the host buffer's bytes."""

    def begin_capture(self, stream: Stream) -> None:
        """What is enqueued on the stream from now on goes into a graph, and is not run."""

    def end_capture(self, stream: Stream) -> DeviceGraph:
        """The graph; ``DeviceError`` when something that was enqueued cannot be captured. The stream is free again
        in either case."""

    def memory(self) -> tuple[int, int]:
        """Free and total device memory in bytes."""

    def close(self) -> None: ...


Function = Any
"""A kernel in the driver's own keeping."""


class Module(Protocol):
    """A loaded image of kernels; freed once, by whoever loaded it."""

    def function(self, name: str, shared_bytes: int) -> Function:
        """The kernel, allowed so many bytes of shared memory a block; ``DeviceError`` when the image has none."""

    def free(self) -> None: ...


class KernelDriver(Driver, Protocol):
    """A driver that runs kernels of the project's own.

    ``shared_bytes``: the most shared memory that a block may have; ``multiprocessors``: how many SMs there are.
    """

    compute_capability: tuple[int, ...]
    multiprocessors: int
    shared_bytes: int

    def load(self, image: bytes) -> Module:
        """Kernels from a cubin or PTX; ``DeviceError`` for one that is not for this GPU."""

    def resident_blocks(self, function: Function, threads: int, shared_bytes: int) -> int:
        """Blocks of a kernel that the whole GPU holds at once."""

    def launch(
        self,
        function: Function,
        blocks: tuple[int, int],
        threads: int,
        shared_bytes: int,
        parameters: ctypes.Structure,
        stream: Stream,
    ) -> None:
        """Enqueue a kernel whose one argument is ``parameters``, copied at once."""


class Rectangle:
    """``rows`` rows of ``row_bytes`` bytes, the first at ``offset``, each ``pitch`` bytes after the last.

    They come from rows that are ``source_pitch`` bytes apart, by default packed.
    """

    def __init__(
        self, offset: int, row_bytes: int, rows: int, pitch: int, source_pitch: int | None = None
    ) -> None:
        self.offset, self.row_bytes, self.rows, self.pitch = offset, row_bytes, rows, pitch
        self.source_pitch = row_bytes if source_pitch is None else source_pitch
