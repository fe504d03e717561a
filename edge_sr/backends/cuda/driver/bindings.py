"""The device through cuda-bindings, NVIDIA's own wheels: nothing is compiled when they are installed."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda.driver.capture import CapturedGraph, begin_capture, end_capture
from edge_sr.backends.cuda.driver.protocol import (
    Buffer,
    DeviceGraph,
    Event,
    Function,
    HostBuffer,
    Rectangle,
    Stream,
)
from edge_sr.backends.cuda.driver.status import call, load_bindings
from edge_sr.machine.gpu import find_gpu


class BindingsBuffer:
    def __init__(self, bindings: Any, nbytes: int) -> None:
        self._bindings, self.nbytes = bindings, nbytes
        self.address = int(call(bindings.cuMemAlloc, nbytes))

    def free(self) -> None:
        call(self._bindings.cuMemFree, self.address)


class BindingsHostBuffer:
    def __init__(self, bindings: Any, shape: tuple[int, ...], dtype: Any, mapped: bool) -> None:
        self._bindings = bindings
        self.nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        flags = int(bindings.CU_MEMHOSTALLOC_DEVICEMAP) if mapped else 0
        self._memory = int(call(bindings.cuMemHostAlloc, self.nbytes, flags))
        self.address = int(call(bindings.cuMemHostGetDevicePointer, self._memory, 0)) if mapped else 0
        memory = (ctypes.c_ubyte * self.nbytes).from_address(self._memory)
        self._array: NDArray[Any] = np.frombuffer(memory, dtype).reshape(shape)

    @property
    def array(self) -> NDArray[Any]:
        return self._array

    def free(self) -> None:
        call(self._bindings.cuMemFreeHost, self._memory)


class BindingsEvent:
    def __init__(self, bindings: Any) -> None:
        self._bindings = bindings
        self.event = call(bindings.cuEventCreate, 0)

    def record(self, stream: Stream) -> None:
        call(self._bindings.cuEventRecord, self.event, _of(stream))

    def synchronize(self) -> None:
        call(self._bindings.cuEventSynchronize, self.event)

    def milliseconds_since(self, earlier: Event) -> float:
        return float(call(self._bindings.cuEventElapsedTime, cast(BindingsEvent, earlier).event, self.event))

    def free(self) -> None:
        call(self._bindings.cuEventDestroy, self.event)


class BindingsStream:
    def __init__(self, bindings: Any, stream: Any) -> None:
        self._bindings, self.stream, self.handle = bindings, stream, int(stream)

    def wait(self, event: Event) -> None:
        call(self._bindings.cuStreamWaitEvent, self.stream, cast(BindingsEvent, event).event, 0)

    def synchronize(self) -> None:
        call(self._bindings.cuStreamSynchronize, self.stream)


def _of(stream: Stream) -> Any:
    return cast(BindingsStream, stream).stream


class BindingsModule:
    def __init__(self, bindings: Any, image: bytes) -> None:
        self._bindings = bindings
        self._module = call(bindings.cuModuleLoadData, image)

    def function(self, name: str, shared_bytes: int) -> Function:
        found = call(self._bindings.cuModuleGetFunction, self._module, name.encode())
        attribute = self._bindings.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        call(self._bindings.cuFuncSetAttribute, found, attribute, shared_bytes)
        return found

    def free(self) -> None:
        call(self._bindings.cuModuleUnload, self._module)


class BindingsDriver:
    """The first GPU. ``MissingError`` without cuda-bindings or a driver, ``DeviceError`` without a GPU."""

    can_capture = True

    def __init__(self) -> None:
        # Asked first: it says what is missing in words.
        self.name, capability = (gpu := find_gpu()).name, gpu.compute_capability
        self.compute_capability = tuple(map(int, capability.split(".")))
        self._bindings = load_bindings("running on a GPU")
        call(self._bindings.cuInit, 0)
        self._device = call(self._bindings.cuDeviceGet, 0)
        # FFmpeg takes a primary context only with this flag, that a host which waits sleeps. A driver that refuses it
        # costs no more than surfaces.
        sleeping = self._bindings.CUctx_flags.CU_CTX_SCHED_BLOCKING_SYNC
        self._bindings.cuDevicePrimaryCtxSetFlags(self._device, int(sleeping))
        self._context = call(self._bindings.cuDevicePrimaryCtxRetain, self._device)
        self.integrated = bool(self._attribute("INTEGRATED"))
        self.multiprocessors = self._attribute("MULTIPROCESSOR_COUNT")
        self.shared_bytes = self._attribute("MAX_SHARED_MEMORY_PER_BLOCK_OPTIN")

    def _attribute(self, name: str) -> int:
        what = getattr(self._bindings.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
        return int(call(self._bindings.cuDeviceGetAttribute, what, self._device))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread works on the primary context until the block ends."""
        call(self._bindings.cuCtxPushCurrent, self._context)
        try:
            yield
        finally:
            call(self._bindings.cuCtxPopCurrent)

    def allocate(self, nbytes: int) -> Buffer:
        return BindingsBuffer(self._bindings, nbytes)

    def allocate_host(self, shape: tuple[int, ...], dtype: Any, mapped: bool) -> HostBuffer:
        return BindingsHostBuffer(self._bindings, shape, dtype, mapped)

    def stream(self) -> Stream:
        # Other code's work on the legacy default stream would break a capture.
        flags = self._bindings.CUstream_flags.CU_STREAM_NON_BLOCKING
        return BindingsStream(self._bindings, call(self._bindings.cuStreamCreate, int(flags)))

    def default_stream(self) -> Stream:
        return BindingsStream(self._bindings, self._bindings.CUstream(0))

    def event(self) -> Event:
        return BindingsEvent(self._bindings)

    def upload(self, source: HostBuffer, address: int, stream: Stream, nbytes: int | None = None) -> None:
        count = source.nbytes if nbytes is None else nbytes
        call(self._bindings.cuMemcpyHtoDAsync, address, source.array.ctypes.data, count, _of(stream))

    def download_rows(self, address: int, target: HostBuffer, place: Rectangle, stream: Stream) -> None:
        copy, kind = self._bindings.CUDA_MEMCPY2D(), self._bindings.CUmemorytype
        copy.srcMemoryType, copy.srcDevice = kind.CU_MEMORYTYPE_DEVICE, address
        copy.dstMemoryType, copy.dstHost = kind.CU_MEMORYTYPE_HOST, target.array.ctypes.data
        copy.srcPitch, copy.dstPitch = place.source_pitch, place.pitch
        copy.dstY, copy.dstXInBytes = divmod(place.offset, place.pitch)
        copy.WidthInBytes, copy.Height = place.row_bytes, place.rows
        call(self._bindings.cuMemcpy2DAsync, copy, _of(stream))

    def begin_capture(self, stream: Stream) -> None:
        begin_capture(stream.handle)

    def end_capture(self, stream: Stream) -> DeviceGraph:
        return CapturedGraph(end_capture(stream.handle))

    def load(self, image: bytes) -> BindingsModule:
        """Kernels from a cubin or PTX."""
        return BindingsModule(self._bindings, image)

    def resident_blocks(self, function: Function, threads: int, shared_bytes: int) -> int:
        """Blocks of a kernel that the whole GPU holds at once."""
        ask = self._bindings.cuOccupancyMaxActiveBlocksPerMultiprocessor
        return self.multiprocessors * int(call(ask, function, threads, shared_bytes))

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
        pointer = (ctypes.c_void_p * 1)(ctypes.addressof(parameters))
        grid = (*blocks, 1, threads, 1, 1, shared_bytes)
        call(self._bindings.cuLaunchKernel, function, *grid, _of(stream), ctypes.addressof(pointer), 0)

    def memory(self) -> tuple[int, int]:
        free, total = call(self._bindings.cuMemGetInfo)
        return int(free), int(total)

    def close(self) -> None:
        call(self._bindings.cuDevicePrimaryCtxRelease, self._device)
