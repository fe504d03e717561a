"""The kernels on the GPU: the images that were loaded, and what is launched of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda.compiler.images import Image, find_image
from edge_sr.backends.cuda.driver.protocol import Buffer, Function, KernelDriver, Module, Stream
from edge_sr.backends.cuda.kernels import Kernel, Launch
from edge_sr.backends.cuda.network.form import Form
from edge_sr.backends.gpu.device import Device
from edge_sr.backends.gpu.graphs import Capture
from edge_sr.errors import BundleError


class KernelDevice:
    """A GPU and the kernels that were loaded for it."""

    def __init__(self, driver: KernelDriver) -> None:
        self.gpu, self.driver = Device.open(driver), driver
        self.capture = Capture(self.gpu)
        self.images: dict[Form, Image] = {}
        self._modules: dict[Form, Module] = {}
        self._functions: dict[Kernel, Function] = {}
        self._resident: dict[Kernel, int] = {}

    def load(self, *forms: Form) -> None:
        """Load the kernels of networks' forms; compiles what does not come with the package."""
        for form in forms:
            if form not in self._modules:
                self.images[form] = find_image(form, self.driver.compute_capability)
                self._modules[form] = self.driver.load(self.images[form].data)

    def fits(self, kernel: Kernel) -> bool:
        """Whether a block of this GPU has the shared memory that the kernel needs."""
        return kernel.shared_bytes <= self.driver.shared_bytes

    def require_room(self, *needed: Kernel) -> None:
        """``BundleError`` unless all fit: a network's layers are too many or too wide for this GPU."""
        most = max(kernel.shared_bytes for kernel in needed)
        if most > self.driver.shared_bytes:
            raise BundleError(
                f"the decoder's kernels need {most:,} bytes of shared memory, and a block of this GPU has "
                f"{self.driver.shared_bytes:,}; use --backend native"
            )

    def resident(self, kernel: Kernel) -> int:
        """Blocks of a kernel that the whole GPU holds at once, at least one."""
        if kernel not in self._resident:
            function = self._function(kernel)
            blocks = self.driver.resident_blocks(function, kernel.threads, kernel.shared_bytes)
            self._resident[kernel] = max(1, blocks)
        return self._resident[kernel]

    def _function(self, kernel: Kernel) -> Function:
        if kernel not in self._functions:
            module = self._modules[kernel.form]
            self._functions[kernel] = module.function(kernel.name, kernel.shared_bytes)
        return self._functions[kernel]

    def launch(self, launches: Iterable[Launch], stream: Stream | None = None) -> None:
        """Enqueue kernels one after the other, on the compute stream or another one."""
        for launch in launches:
            kernel = launch.kernel
            function = self._function(kernel)
            shape = launch.blocks, kernel.threads, kernel.shared_bytes
            self.driver.launch(function, *shape, launch.parameters, stream or self.gpu.compute)

    def upload(self, array: NDArray[Any], address: int) -> None:
        """Copy an array to the device, and wait until it is there."""
        pool, compute = self.gpu.pool, self.gpu.compute
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        staging = pool.host(data.nbytes)
        try:
            staging.array[: data.nbytes] = data
            self.driver.upload(staging, address, compute, data.nbytes)
        finally:
            compute.synchronize()
            pool.give_back_host(staging)

    def close(self) -> None:
        """Unload the images and free what waits in the pool."""
        while self._modules:
            self._modules.popitem()[1].free()
        self.gpu.pool.free()


class Arena:
    """Arrays on the device, whose addresses hold until ``free``; ``MemoryLimitError`` when there is no room."""

    def __init__(self, device: KernelDevice) -> None:
        self._device = device
        self._buffers: list[Buffer] = []

    def place(self, array: NDArray[Any]) -> int:
        """The device's address of a copy of the array."""
        buffer = self._device.gpu.pool.device(array.nbytes)
        self._buffers.append(buffer)
        if array.nbytes:
            self._device.upload(array, buffer.address)
        return buffer.address

    def free(self) -> None:
        """Give all memory back; nothing uses it any more."""
        while self._buffers:
            self._device.gpu.pool.give_back_device(self._buffers.pop())
