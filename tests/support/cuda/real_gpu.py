"""A GPU behind its driver, with the interface that tests have of the emulated one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda.compiler import nvrtc
from edge_sr.backends.cuda.compiler.images import Image
from edge_sr.backends.cuda.compiler.sources import read_sources
from edge_sr.backends.cuda.device import KernelDevice
from edge_sr.backends.cuda.driver.choose import open_driver
from edge_sr.backends.cuda.driver.protocol import Rectangle
from edge_sr.backends.cuda.kernels import Kernel, Launch
from edge_sr.backends.cuda.network.form import Form

Array = NDArray[Any]


class RealGpu:
    """Kernels on the first GPU; everything placed stays there until the process ends.

    ``kind``: ``own`` images of the GPU, ``turing``'s instructions on it, or ``ptx``.
    """

    def __init__(self, kind: str = "own") -> None:
        self._driver = open_driver()
        self._device = KernelDevice(self._driver)
        self._kind = kind
        self._places: dict[int, int] = {}
        self._kept: list[Array] = []

    def place(self, array: Array) -> int:
        """The device's address of a copy of the array."""
        with self._driver.entered():
            address = self._device.gpu.pool.device(array.nbytes).address
            self._device.upload(array, address)
            return address

    def empty(self, shape: Any, dtype: Any) -> Array:
        """An array on the host and memory on the device; ``fetch`` brings what kernels wrote."""
        array = np.zeros(shape, dtype)
        self._kept.append(array)
        with self._driver.entered():
            self._places[array.ctypes.data] = self._device.gpu.pool.device(array.nbytes).address
        return array

    def address(self, array: Array) -> int:
        return self._places[array.ctypes.data]

    def fetch(self, array: Array) -> Array:
        with self._driver.entered():
            staging = self._driver.allocate_host((array.nbytes,), np.uint8, False)
            whole = Rectangle(0, array.nbytes, 1, array.nbytes)
            self._driver.download_rows(self.address(array), staging, whole, self._device.gpu.compute)
            self._device.gpu.compute.synchronize()
            array.reshape(-1).view(np.uint8)[:] = staging.array
            staging.free()
        return array

    def run(self, *launches: Launch) -> None:
        with self._driver.entered():
            for form in {launch.kernel.form for launch in launches}:
                self._load(form)
            self._device.launch(launches)
            self._device.gpu.compute.synchronize()

    def fits(self, kernel: Kernel) -> bool:
        return self._device.fits(kernel)

    def _load(self, form: Form) -> None:
        if self._kind == "own" or form in self._device._modules:
            self._device.load(form)
            return
        major, minor = self._driver.compute_capability
        target = f"sm_{major}{minor}" if self._kind == "turing" else "compute_80"
        defines = {**form.defines, **({"ESR_ARCH": "750"} if self._kind == "turing" else {})}
        library = nvrtc.load_nvrtc()
        data = nvrtc.compile_source(library, form.source, read_sources(), target, defines)
        self._device.images[form] = Image(data, target, f"{self._kind} for a test")
        self._device._modules[form] = self._driver.load(data)
