"""The GPU in this machine, asked of NVIDIA's driver directly: needs no CUDA package, only libcuda."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from pathlib import Path

from edge_sr.errors import DeviceError, MissingError

# Numbers of CUdevice_attribute.
_MULTIPROCESSORS, _INTEGRATED, _MAJOR, _MINOR = 16, 18, 75, 76
_BOARD = Path("/proc/device-tree/model")


@dataclass(frozen=True)
class Gpu:
    """``name`` holds the board's name too where it can be read: a Jetson's GPU only says "Orin", its ``chip``.

    ``multiprocessors`` are those that the power mode leaves switched on.
    """

    name: str
    compute_capability: str
    memory_mib: int
    integrated: bool
    driver_cuda: str
    multiprocessors: int = 0
    chip: str = ""

    @property
    def memory_class_gib(self) -> int:
        """The module's memory: what the driver counts, rounded up to a power of two."""
        return 1 << max(0, math.ceil(math.log2(max(self.memory_mib, 1) / 1024)))

    @property
    def identity(self) -> str:
        """What engines belong to: the same on a host and in its containers, where no board can be read."""
        return f"{self.chip or self.name}, {self.memory_class_gib} GiB" if self.integrated else self.name


def find_gpu() -> Gpu:
    """The first GPU; ``MissingError`` without a driver or a GPU."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise MissingError(
            "no NVIDIA driver here (libcuda.so.1 is not found): run on a machine with a GPU"
        ) from error
    _check(driver, driver.cuInit(0))
    device, count = ctypes.c_int(), ctypes.c_int()
    _check(driver, driver.cuDeviceGetCount(ctypes.byref(count)))
    if count.value == 0:
        raise MissingError("the NVIDIA driver finds no GPU here")
    _check(driver, driver.cuDeviceGet(ctypes.byref(device), 0))
    return _describe(driver, device)


def gpu_if_any() -> Gpu | None:
    """The first GPU; None without one, or where the driver cannot tell."""
    try:
        return find_gpu()
    except (MissingError, DeviceError):
        return None


def _describe(driver: ctypes.CDLL, device: ctypes.c_int) -> Gpu:
    name, memory, version = ctypes.create_string_buffer(128), ctypes.c_size_t(), ctypes.c_int()
    _check(driver, driver.cuDeviceGetName(name, len(name), device))
    _check(driver, driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device))
    _check(driver, driver.cuDriverGetVersion(ctypes.byref(version)))
    major, minor = _attribute(driver, device, _MAJOR), _attribute(driver, device, _MINOR)
    return Gpu(
        name=" ".join(filter(None, (_board_name(), name.value.decode()))),
        compute_capability=f"{major}.{minor}",
        memory_mib=memory.value >> 20,
        integrated=bool(_attribute(driver, device, _INTEGRATED)),
        driver_cuda=f"{version.value // 1000}.{version.value % 1000 // 10}",
        multiprocessors=_attribute(driver, device, _MULTIPROCESSORS),
        chip=name.value.decode(),
    )


def _attribute(driver: ctypes.CDLL, device: ctypes.c_int, number: int) -> int:
    value = ctypes.c_int()
    _check(driver, driver.cuDeviceGetAttribute(ctypes.byref(value), number, device))
    return value.value


def _board_name() -> str:
    try:
        return _BOARD.read_text().strip("\0 \n")
    except OSError:
        return ""


def _check(driver: ctypes.CDLL, code: int) -> None:
    if code:
        text = ctypes.c_char_p()
        driver.cuGetErrorString(code, ctypes.byref(text))
        reason = (text.value or b"unknown error").decode()
        raise DeviceError(f"the NVIDIA driver answers with error {code}: {reason}; see edge-sr doctor")
