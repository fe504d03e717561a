"""Engines made of two small kernels: they go where TensorRT's go, on any GPU, with no TensorRT there."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from cuda.bindings import driver as cuda

from edge_sr.backends.cuda.compiler.images import target_for
from edge_sr.backends.cuda.compiler.nvrtc import architectures, compile_source, load_nvrtc
from edge_sr.backends.cuda.driver.protocol import Driver
from edge_sr.backends.tensorrt.runner import PairForm, TensorRTRunner
from edge_sr.engines.store.identity import BuildSettings, EngineKey, Shape, ShapeRange
from edge_sr.engines.store.shapes import PairShapes
from edge_sr.errors import DeviceError
from edge_sr.kinds import Role

SOURCE = Path(__file__).parents[1] / "gpu" / "standin.cu"
POSITIONS = ("rows", "cols", "offset_y", "offset_x", "ratio")
FORM = PairForm(PairShapes(3, POSITIONS), "float32", "fp32", np.dtype(np.uint8))
TILE = (256, 64)
BLOCK = 128


def compile_kernels(capability: str) -> bytes:
    """The stand-in for one compute capability, such as ``9.0``, by the compiler of the extra ``cuda``."""
    library, sources = load_nvrtc(), {SOURCE.name: SOURCE.read_bytes()}
    target = target_for(architectures(library), tuple(map(int, capability.split("."))))
    return compile_source(library, SOURCE.name, sources, target, {})


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    status, *results = function(*arguments)
    if int(status):
        raise DeviceError(f"{function.__name__} answers {status.name}")
    return results[0] if results else None


class KernelExecution:
    """One launch for each enqueue; the scratch is asked for and left alone."""

    scratch_bytes = 1 << 16

    def __init__(self, function: Any) -> None:
        self._function = function
        self._shapes: dict[str, Shape] = {}
        self._bound: dict[str, int] = {}
        self.generation = 0

    def reshape(self, shapes: Mapping[str, Shape], stream_handle: int) -> None:
        assert stream_handle
        self.generation += shapes != self._shapes
        self._shapes = dict(shapes)

    def use_scratch(self, address: int, nbytes: int) -> None:
        assert address and nbytes >= self.scratch_bytes

    def bind(self, name: str, address: int) -> None:
        assert address % 256 == 0, name
        self._bound[name] = address

    def enqueue(self, stream_handle: int) -> None:
        pointers, numbers, grid = self._arguments()
        values = (*(self._bound[name] for name in pointers), *numbers)
        types = (*(ctypes.c_void_p for _ in pointers), *(ctypes.c_int for _ in numbers))
        width, height = grid
        blocks = -(-width // BLOCK)
        stream = cuda.CUstream(stream_handle)
        call(
            cuda.cuLaunchKernel, self._function, blocks, height, 1, BLOCK, 1, 1, 0, stream, (values, types), 0
        )

    def _arguments(self) -> tuple[tuple[str, ...], tuple[int, ...], tuple[int, int]]:
        if "rows" not in self._shapes:
            _, height, width, _ = self._shapes["image"]
            return ("image", "maps"), (height, width), (width, height)
        _, _, height, width = self._shapes["maps"]
        tile = self._shapes["cols"][0], self._shapes["rows"][0]
        return ("maps", "rows", "cols", "frame"), (height, width, tile[0]), tile


@dataclasses.dataclass
class KernelEngine:
    key: EngineKey
    execution: KernelExecution

    def close(self) -> None:
        pass


def _key(part: Role) -> EngineKey:
    wide = {"maps": ShapeRange((1, 3, 1, 1), (1, 3, 4096, 4096), (1, 3, 4096, 4096))}
    for name, length in (("cols", TILE[0]), ("rows", TILE[1])):
        wide[name] = ShapeRange((1,), (length,), (length,))
    words: Any = ("kernels", part, "uint8", "fp32", "", "any", "tensorrt", "0", "")
    return EngineKey(*words, ("0.0",), (wide,), BuildSettings())


def kernel_runner(driver: Driver, cubin: bytes, graphs: bool) -> TensorRTRunner:
    """The real runner over the kernels: it enlarges to the nearest pixel."""
    with driver.entered():
        module = call(cuda.cuModuleLoadData, cubin)
        functions: dict[Role, Any] = {
            "encoder": call(cuda.cuModuleGetFunction, module, b"encode"),
            "decoder": call(cuda.cuModuleGetFunction, module, b"decode"),
        }
    engines = {
        part: KernelEngine(_key(part), KernelExecution(function)) for part, function in functions.items()
    }

    def find(part: Role, shapes: Mapping[str, Shape]) -> KernelEngine:
        assert shapes
        return engines[part]

    return TensorRTRunner(FORM, "tensorrt", find, driver, graphs)
