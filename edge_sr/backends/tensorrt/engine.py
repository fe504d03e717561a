"""A deserialized engine and its execution contexts: TensorRT alone, without any memory or stream of its own.

``Engine`` and ``Execution`` are what the runner needs; tests put another implementation in their place, since
no engine runs without a GPU.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from edge_sr.engines.interface.loader import Flavour, Library
from edge_sr.engines.interface.protocols import (
    ICudaEngine,
    IExecutionContext,
    IRuntimeCache,
    RtxEngine,
    RtxRuntimeConfig,
    Runtime,
    SizedContext,
)
from edge_sr.engines.store.identity import EngineKey, Shape, ShapeRange
from edge_sr.engines.store.sealed import read_sealed, write_sealed
from edge_sr.engines.store.shapes import CONTRACT, Pair
from edge_sr.errors import DeviceError, EdgeSRError, EngineError


class Execution(Protocol):
    """One execution context for one set of shapes, which computes in ``scratch_bytes`` lent to it."""

    scratch_bytes: int

    def use_scratch(self, address: int, nbytes: int) -> None: ...

    def bind(self, name: str, address: int) -> None: ...

    def enqueue(self, stream_handle: int) -> None:
        """Put the engine's work on the stream; every tensor must have been bound."""


class Engine(Protocol):
    key: EngineKey

    def execution(self, shapes: Mapping[str, Shape], stream_handle: int) -> Execution:
        """A context for these input shapes; ``EngineError`` when no profile of the engine covers them."""

    def close(self) -> None: ...


def profile_index(key: EngineKey, shapes: Mapping[str, Shape]) -> int | None:
    """The first optimisation profile that covers the shapes, or ``None``."""
    for index, profile in enumerate(key.profiles):
        if all(
            _covers(profile[name].minimum, shape, profile[name].maximum) for name, shape in shapes.items()
        ):
            return index
    return None


def largest_tile(key: EngineKey, shapes: Mapping[str, Shape], pair: Pair) -> tuple[int, int]:
    """Width and height of the largest output tile of a decoder's profile for these shapes."""
    index = profile_index(key, shapes)
    if index is None:
        raise EngineError(f"{key.name} was not built for {dict(shapes)}: edge-sr build --sizes WxH")
    eaten, profile = 2 * pair.halo, key.profiles[index]
    width, height = (_length(profile, pair.positions, axis) for axis in ("Wt", "Ht"))
    return width - eaten, height - eaten


def _length(profile: Mapping[str, ShapeRange], positions: Sequence[str], axis: str) -> int:
    """The most that an axis of the output was built for, by the index along it."""
    index = next(name for name in positions if CONTRACT[name] == (axis,))
    return profile[index].maximum[0]


def _covers(minimum: Shape, shape: Shape, maximum: Shape) -> bool:
    triples = zip(minimum, shape, maximum, strict=True)
    return all(least <= size <= most for least, size, most in triples)


class TensorRTExecution:
    def __init__(self, context: IExecutionContext, where: str) -> None:
        self._context, self._where = context, where
        self.scratch_bytes = int(context.update_device_memory_size_for_shapes())

    def use_scratch(self, address: int, nbytes: int) -> None:
        if hasattr(self._context, "set_device_memory"):
            cast(SizedContext, self._context).set_device_memory(address, nbytes)
        else:
            self._context.device_memory = address

    def bind(self, name: str, address: int) -> None:
        if not self._context.set_tensor_address(name, address):
            raise EngineError(f"{self._where} has no tensor {name!r}; build it again: edge-sr build")

    def enqueue(self, stream_handle: int) -> None:
        if not self._context.execute_async_v3(stream_handle):
            raise DeviceError(f"{self._where} could not be run; see edge-sr doctor")


class TensorRTEngine:
    """An engine whose bytes the cache has checked. ``runtime_cache``: for the kernels of TensorRT for RTX."""

    def __init__(self, library: Library, key: EngineKey, plan: bytes, runtime_cache: Path) -> None:
        self.key, self._library, self._path = key, library, runtime_cache
        self._runtime = cast(Runtime, library.module.Runtime(library.logger))
        if key.settings.dla_core is not None:
            self._runtime.DLA_core = key.settings.dla_core
        engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise EngineError(
                f"TensorRT does not load {key.name}: {library.last_error()}; edge-sr build makes it again"
            )
        self._engine: ICudaEngine | None = engine
        self._cache: IRuntimeCache | None = None
        self._config: RtxRuntimeConfig | None = None
        if library.flavour is Flavour.RTX:
            self._configure(cast(RtxEngine, engine))

    @property
    def _user_managed(self) -> Any:
        return self._library.module.ExecutionContextAllocationStrategy.USER_MANAGED

    def _configure(self, engine: RtxEngine) -> None:
        config = engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(self._user_managed)
        self._cache = config.create_runtime_cache()
        kept = read_sealed(self._path, self.key.name)
        if kept:
            self._cache.deserialize(kept)
        config.set_runtime_cache(self._cache)
        config.cuda_graph_strategy = self._library.module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        self._config = config

    def execution(self, shapes: Mapping[str, Shape], stream_handle: int) -> Execution:
        index = profile_index(self.key, shapes)
        if index is None or self._engine is None:
            raise EngineError(f"{self.key.name} was not built for {dict(shapes)}: edge-sr build --sizes WxH")
        context = self._context()
        if not context.set_optimization_profile_async(index, stream_handle):
            raise EngineError(f"TensorRT refuses profile {index}: {self._library.last_error()}")
        for name, shape in shapes.items():
            if not context.set_input_shape(name, shape):
                raise EngineError(
                    f"{self.key.name} does not take {name} as {shape}: {self._library.last_error()}"
                )
        return TensorRTExecution(context, self.key.name)

    def _context(self) -> IExecutionContext:
        if self._config is not None:
            context = cast(RtxEngine, self._engine).create_execution_context(self._config)
        else:
            context = cast(ICudaEngine, self._engine).create_execution_context(self._user_managed)
        if context is None:
            raise DeviceError(f"no room on the GPU to run {self.key.name}: {self._library.last_error()}")
        return context

    def close(self) -> None:
        """Keep the kernels that were compiled on this device, and let go of the engine."""
        if self._cache is not None:
            self._keep(bytes(self._cache.serialize()))
        self._cache = self._config = self._engine = None

    def _keep(self, kernels: bytes) -> None:
        try:
            write_sealed(self._path, kernels, self.key.name)
        except EdgeSRError as error:
            # They cost the next run some seconds, and this one nothing.
            warnings.warn(f"kernels compiled on this GPU are not kept: {error}", stacklevel=2)
