"""The emulated GPU of ``cuda/emulator``, built once for a tree of sources, and called through ctypes."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sr.backends.cuda.kernels import Kernel, Launch
from edge_sr.backends.cuda.network.form import Form

CUDA = Path(__file__).parents[3] / "cuda"
# The kernels say what is fused; the host's compiler may not add to it.
FLAGS = (
    "-std=c++17",
    "-O2",
    "-march=native",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-Wall",
    "-Wextra",
    "-fPIC",
)
# By this name the kernels' libraries find the emulator, wherever they lie.
SONAME = "-Wl,-soname,libemulator.so"


def need_compiler() -> str:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("not installed: a C++ compiler")
    return compiler


def compile_library(output: Path, sources: Iterable[Path], *options: str) -> None:
    """One shared library; its draft has a name of its own, as several processes may build it at once."""
    draft = output.with_suffix(f".{os.getpid()}")
    command = [need_compiler(), *FLAGS, "-shared", *options, *map(str, sources), "-o", str(draft)]
    if output.name != "libemulator.so":
        command += [f"-L{output.parent}", "-lemulator", "-Wl,-rpath,$ORIGIN", "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    draft.rename(output)


def _sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@functools.cache
def emulator_folder() -> Path:
    """Where the libraries of this state of the sources lie, the emulator among them."""
    text = b"".join(path.read_bytes() for path in _sources(CUDA)) + repr((FLAGS, SONAME)).encode()
    folder = (
        Path(tempfile.gettempdir())
        / f"edge-sr-emulator-{os.getuid()}-{hashlib.sha256(text).hexdigest()[:16]}"
    )
    folder.mkdir(exist_ok=True)
    library = folder / "libemulator.so"
    if not library.exists():
        sources = sorted((CUDA / "emulator").glob("*.cpp"))
        compile_library(library, sources, f"-I{CUDA / 'emulator'}", SONAME)
    return folder


def kernels_library(form: Form, kernels: Path = CUDA / "kernels", folder: Path | None = None) -> Path:
    """The kernels of one form, compiled for the emulator."""
    folder = folder or emulator_folder()
    library = folder / f"{form.name}.so"
    if not library.exists():
        defines = [f"-D{name}={value}" for name, value in form.defines.items()]
        include = f"-I{CUDA / 'emulator'}"
        compile_library(
            library, [kernels / form.source], "-x", "c++", include, *defines, f"-L{emulator_folder()}"
        )
    return library


def _aligned(array: NDArray[Any]) -> NDArray[Any]:
    """A copy at an address such as device memory has."""
    memory = np.empty(array.nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


class EmulatedGpu:
    """Runs launches on arrays of the host. ``seed``: order of threads; ``noisy``: sums, sines off by their bounds."""

    def __init__(self, seed: int = 0, noisy: bool = False, kernels: Path = CUDA / "kernels") -> None:
        self._core = ctypes.CDLL(str(emulator_folder() / "libemulator.so"), mode=ctypes.RTLD_GLOBAL)
        self._core.emulator_launch.restype = ctypes.c_char_p
        self._core.emulator_traffic.restype = ctypes.c_char_p
        self._core.emulator_shared_used.restype = ctypes.c_size_t
        self._core.emulator_add_buffer.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        self._core.emulator_count_traffic(0)
        self._seed, self._noisy, self._kernels = seed, noisy, kernels
        self._libraries: dict[Form, ctypes.CDLL] = {}
        self._kept: list[NDArray[Any]] = []
        self.shared_reached: dict[Kernel, int] = {}
        self._core.emulator_remove_buffers()

    def place(self, array: NDArray[Any], writable: bool = False) -> int:
        """The address of an array, which kernels may read from now on."""
        if not array.flags.c_contiguous or array.ctypes.data % 64:
            array = _aligned(array)
        self._kept.append(array)
        self._core.emulator_add_buffer(array.ctypes.data, array.nbytes, int(writable))
        return array.ctypes.data

    def empty(self, shape: Sequence[int], dtype: Any) -> NDArray[Any]:
        """An array that nobody has written, for kernels to write; its bytes are noise until then."""
        array = np.full(int(np.prod(shape)) * np.dtype(dtype).itemsize + 64, 0xFB, np.uint8)
        start = -array.ctypes.data % 64
        shaped = array[start : len(array) - 64 + start].view(dtype).reshape(shape)
        self.place(shaped, writable=True)
        return shaped

    def address(self, array: NDArray[Any]) -> int:
        """Where kernels find an array of ``empty``."""
        return array.ctypes.data

    def fetch(self, array: NDArray[Any]) -> NDArray[Any]:
        """What kernels wrote there."""
        return array

    def run(self, *launches: Launch) -> None:
        """One after the other; ``AssertionError`` with the emulator's words for what goes wrong."""
        for launch in launches:
            kernel, parameters = launch.kernel, launch.parameters
            library = self._library(kernel.form)
            size = ctypes.c_uint.in_dll(library, f"{kernel.name}_parameters").value
            assert size == ctypes.sizeof(parameters), f"{kernel.name} takes {size} bytes of parameters"
            arguments = (*launch.blocks, kernel.threads, kernel.shared_bytes, self._seed, int(self._noisy))
            error = self._core.emulator_launch(library[kernel.name], ctypes.byref(parameters), *arguments)
            assert error is None, f"{kernel.name}: {error.decode()}"
            self.shared_reached[kernel] = self._core.emulator_shared_used()

    def count_traffic(self) -> None:
        self._core.emulator_count_traffic(1)

    def traffic(self) -> list[str]:
        report: bytes = self._core.emulator_traffic()
        return report.decode().splitlines()

    def _library(self, form: Form) -> ctypes.CDLL:
        if form not in self._libraries:
            folder = None if self._kernels == CUDA / "kernels" else self._kernels.parent
            self._libraries[form] = ctypes.CDLL(str(kernels_library(form, self._kernels, folder)))
        return self._libraries[form]
