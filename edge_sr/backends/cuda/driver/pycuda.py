"""The device through pycuda on the primary context; graphs are captured by cuda-bindings on its streams' handles."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda.driver.capture import CapturedGraph, begin_capture, can_capture, end_capture
from edge_sr.backends.cuda.driver.protocol import (
    Buffer,
    DeviceGraph,
    Event,
    Function,
    HostBuffer,
    Rectangle,
    Stream,
)
from edge_sr.errors import DeviceError, MemoryLimitError
from edge_sr.machine.gpu import find_gpu
from edge_sr.machine.optional import require

# CU_STREAM_NON_BLOCKING: other code's work on the legacy default stream would break a capture.
NON_BLOCKING = 1

# What the driver keeps of an SM's shared memory for every block.
_RESERVED_SHARED = 1024


class PycudaBuffer:
    def __init__(self, allocation: Any, nbytes: int) -> None:
        self._allocation, self.nbytes = allocation, nbytes
        self.address = int(allocation)

    def free(self) -> None:
        self._allocation.free()


class PycudaHostBuffer:
    def __init__(self, array: NDArray[Any], mapped: bool) -> None:
        self._array, self.nbytes = array, array.nbytes
        self._memory = cast(Any, array.base)
        self.address = int(self._memory.get_device_pointer()) if mapped else 0

    @property
    def array(self) -> NDArray[Any]:
        return self._array

    def free(self) -> None:
        self._memory.free()


class PycudaEvent:
    def __init__(self, event: Any) -> None:
        self.event = event

    def record(self, stream: Stream) -> None:
        self.event.record(cast(PycudaStream, stream).stream)

    def synchronize(self) -> None:
        with _translated():
            self.event.synchronize()

    def milliseconds_since(self, earlier: Event) -> float:
        return float(self.event.time_since(cast(PycudaEvent, earlier).event))

    def free(self) -> None:
        # pycuda destroys it with the last reference.
        self.event = None


class PycudaStream:
    """``stream`` is None for the default one, as pycuda has it."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.handle = stream, 0 if stream is None else int(stream.handle)

    def wait(self, event: Event) -> None:
        self.stream.wait_for_event(cast(PycudaEvent, event).event)

    def synchronize(self) -> None:
        with _translated():
            self.stream.synchronize()


class PycudaModule:
    def __init__(self, cuda: Any, image: bytes) -> None:
        self._cuda, self._module = cuda, cuda.module_from_buffer(image)

    def function(self, name: str, shared_bytes: int) -> Function:
        found = self._module.get_function(name)
        found.set_attribute(self._cuda.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES, shared_bytes)
        return found

    def free(self) -> None:
        # pycuda unloads it with the last reference.
        self._module = None


class PycudaDriver:
    """The first GPU. ``MissingError`` without pycuda or a driver, ``DeviceError`` without a GPU."""

    def __init__(self) -> None:
        # Asked first: without a driver pycuda only says that it cannot be imported.
        find_gpu()
        self._cuda = require("pycuda.driver", "running on a GPU")
        with _translated():
            self._cuda.init()
            device = self._cuda.Device(0)
            self._context = device.retain_primary_context()
        attribute = self._cuda.device_attribute
        self.name = str(device.name())
        self.compute_capability = device.compute_capability()
        self.integrated = bool(device.get_attribute(attribute.INTEGRATED))
        self.multiprocessors = int(device.get_attribute(attribute.MULTIPROCESSOR_COUNT))
        self.shared_bytes = int(device.get_attribute(attribute.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN))
        self._shared_sm = int(device.get_attribute(attribute.MAX_SHARED_MEMORY_PER_MULTIPROCESSOR))
        self._threads_sm = int(device.get_attribute(attribute.MAX_THREADS_PER_MULTIPROCESSOR))
        self._flags = self._cuda.host_alloc_flags

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread works on the primary context until the block ends."""
        self._context.push()
        try:
            with _translated():
                yield
        finally:
            self._context.pop()

    def allocate(self, nbytes: int) -> Buffer:
        with _translated():
            return PycudaBuffer(self._cuda.mem_alloc(nbytes), nbytes)

    def allocate_host(self, shape: tuple[int, ...], dtype: Any, mapped: bool) -> HostBuffer:
        flags = self._flags.DEVICEMAP if mapped else 0
        with _translated():
            return PycudaHostBuffer(self._cuda.pagelocked_empty(shape, dtype, mem_flags=flags), mapped)

    def stream(self) -> Stream:
        return PycudaStream(self._cuda.Stream(NON_BLOCKING))

    def default_stream(self) -> Stream:
        return PycudaStream(None)

    def event(self) -> Event:
        return PycudaEvent(self._cuda.Event())

    def upload(self, source: HostBuffer, address: int, stream: Stream, nbytes: int | None = None) -> None:
        content = source.array.reshape(-1).view(np.uint8)[:nbytes]
        self._cuda.memcpy_htod_async(address, content, cast(PycudaStream, stream).stream)

    def download_rows(self, address: int, target: HostBuffer, place: Rectangle, stream: Stream) -> None:
        copy = self._cuda.Memcpy2D()
        copy.set_src_device(address)
        copy.set_dst_host(target.array)
        copy.src_pitch, copy.dst_pitch = place.source_pitch, place.pitch
        copy.dst_y, copy.dst_x_in_bytes = divmod(place.offset, place.pitch)
        copy.width_in_bytes, copy.height = place.row_bytes, place.rows
        copy(cast(PycudaStream, stream).stream)

    @property
    def can_capture(self) -> bool:
        return can_capture()

    def begin_capture(self, stream: Stream) -> None:
        begin_capture(stream.handle)

    def end_capture(self, stream: Stream) -> DeviceGraph:
        return CapturedGraph(end_capture(stream.handle))

    def load(self, image: bytes) -> PycudaModule:
        """Kernels from a cubin or PTX."""
        with _translated():
            return PycudaModule(self._cuda, image)

    def resident_blocks(self, function: Function, threads: int, shared_bytes: int) -> int:
        """Blocks of a kernel that the whole GPU holds at once; pycuda cannot ask, so by shared memory alone."""
        per_sm = min(self._threads_sm // threads, self._shared_sm // (shared_bytes + _RESERVED_SHARED))
        return self.multiprocessors * max(1, per_sm)

    def launch(
        self,
        function: Function,
        blocks: tuple[int, int],
        threads: int,
        shared_bytes: int,
        parameters: ctypes.Structure,
        stream: Stream,
    ) -> None:
        """Enqueue a kernel whose one argument is ``parameters``."""
        with _translated():
            function(
                np.void(bytes(parameters)),
                grid=blocks,
                block=(threads, 1, 1),
                shared=shared_bytes,
                stream=cast(PycudaStream, stream).stream,
            )

    def memory(self) -> tuple[int, int]:
        free, total = self._cuda.mem_get_info()
        return int(free), int(total)

    def close(self) -> None:
        self._context.detach()


@contextmanager
def _translated() -> Iterator[None]:
    """pycuda's errors as ours: out of memory is one thing, a device that is gone another."""
    cuda = require("pycuda.driver", "running on a GPU")
    try:
        yield
    except cuda.MemoryError as error:
        raise MemoryLimitError(f"the GPU is out of memory: {error}") from error
    except cuda.Error as error:
        raise DeviceError(f"the GPU failed: {error}; run the command again, a film with --resume") from error
