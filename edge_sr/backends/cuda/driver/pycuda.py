"""The real device: pycuda on the primary context, graphs captured by cuda-python on its stream handles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda.driver.protocol import Buffer, Event, Graph, HostBuffer, Rectangle, Stream
from edge_sr.errors import DeviceError, MemoryLimitError, MissingError
from edge_sr.machine.gpu import find_gpu
from edge_sr.optional import require

# CU_STREAM_NON_BLOCKING: other code's work on the legacy default stream would break a capture.
NON_BLOCKING = 1


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
    def __init__(self, stream: Any) -> None:
        self.stream, self.handle = stream, int(stream.handle)

    def wait(self, event: Event) -> None:
        self.stream.wait_for_event(cast(PycudaEvent, event).event)

    def synchronize(self) -> None:
        with _translated():
            self.stream.synchronize()


class CapturedGraph:
    """A graph made by cuda-python, whose handles are never freed by themselves."""

    def __init__(self, bindings: Any, executable: Any) -> None:
        self._bindings, self._executable = bindings, executable

    def launch(self, stream: Stream) -> None:
        _call(self._bindings.cuGraphLaunch, self._executable, self._bindings.CUstream(stream.handle))

    def free(self) -> None:
        _call(self._bindings.cuGraphExecDestroy, self._executable)


class PycudaDriver:
    """One GPU by number. ``MissingError`` without pycuda or a driver, ``DeviceError`` without a GPU."""

    def __init__(self, index: int = 0) -> None:
        # Asked first: without a driver pycuda only says that it cannot be imported.
        find_gpu()
        self._cuda = require("pycuda.driver", "running on a GPU")
        with _translated():
            self._cuda.init()
            device = self._cuda.Device(index)
            self._context = device.retain_primary_context()
        attribute = self._cuda.device_attribute
        self.name = str(device.name())
        self.integrated = bool(device.get_attribute(attribute.INTEGRATED))
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
        try:
            require("cuda.bindings.driver", "capturing graphs")
        except MissingError:
            return False
        return True

    def begin_capture(self, stream: Stream) -> None:
        bindings = require("cuda.bindings.driver", "capturing graphs")
        mode = bindings.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        _call(bindings.cuStreamBeginCapture, bindings.CUstream(stream.handle), mode)

    def end_capture(self, stream: Stream) -> Graph:
        bindings = require("cuda.bindings.driver", "capturing graphs")
        graph = _call(bindings.cuStreamEndCapture, bindings.CUstream(stream.handle))
        try:
            return CapturedGraph(bindings, _call(bindings.cuGraphInstantiate, graph, 0))
        finally:
            _call(bindings.cuGraphDestroy, graph)

    def memory(self) -> tuple[int, int]:
        free, total = self._cuda.mem_get_info()
        return int(free), int(total)

    def close(self) -> None:
        self._context.detach()


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    """A call of cuda-python: its first result is the status."""
    status, *results = function(*arguments)
    if int(status):
        raise DeviceError(f"{function.__name__} answers {status.name}; see edge-sr doctor")
    return results[0] if results else None


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
