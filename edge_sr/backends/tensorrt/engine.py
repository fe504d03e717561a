"""A deserialized engine and its execution contexts: TensorRT alone, without any memory or stream of its own.

``Engine`` and ``Execution`` are what the runner needs; tests put another implementation in their place, since
no engine runs without a GPU.
"""

from __future__ import annotations

import dataclasses
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
from edge_sr.engines.store.shapes import CONTRACT, PairShapes
from edge_sr.errors import DeviceError, EdgeSRError, EngineError, MemoryLimitError, ResourceError


class Execution(Protocol):
    """An engine's one execution context, for one set of input shapes at a time.

    ``scratch_bytes``: the memory that it computes in for these, lent to it; ``generation`` counts its changes of
    shapes: a captured graph is good for one.
    """

    scratch_bytes: int
    generation: int

    def reshape(self, shapes: Mapping[str, Shape], stream_handle: int) -> None:
        """Take these input shapes, unless it has them; ``EngineError`` when no profile covers them."""

    def use_scratch(self, address: int, nbytes: int) -> None: ...

    def bind(self, name: str, address: int) -> None: ...

    def enqueue(self, stream_handle: int) -> None:
        """Put the engine's work on the stream; every tensor must have been bound."""


class Engine(Protocol):
    key: EngineKey

    @property
    def execution(self) -> Execution:
        """Its context, made at the first use; ``MemoryLimitError`` when the device has no room for it."""

    def close(self) -> None: ...


def profile_index(key: EngineKey, shapes: Mapping[str, Shape]) -> int | None:
    """The first optimisation profile that covers the shapes, or ``None``."""
    for index, profile in enumerate(key.profiles):
        if all(
            _covers(profile[name].minimum, shape, profile[name].maximum) for name, shape in shapes.items()
        ):
            return index
    return None


@dataclasses.dataclass(frozen=True)
class OutputTile:
    """An output tile in pixels: at most so large, or with ``exact`` just so."""

    width: int
    height: int
    exact: bool = False

    @property
    def pixels(self) -> int:
        return self.width * self.height


def tile_for(key: EngineKey, shapes: Mapping[str, Shape], pair: PairShapes) -> OutputTile:
    """The largest output tile of a decoder's profile for these shapes."""
    index = profile_index(key, shapes)
    if index is None:
        raise EngineError(f"{key.name} was not built for {dict(shapes)}: edge-sr build --sizes WxH")
    eaten, profile = 2 * pair.halo, key.profiles[index]
    (least_width, width), (least_height, height) = (
        _lengths(profile, pair.positions, axis) for axis in ("Wt", "Ht")
    )
    return OutputTile(
        width - eaten, height - eaten, (least_width, least_height) == (width, height) and width > 1
    )


def _lengths(profile: Mapping[str, ShapeRange], positions: Sequence[str], axis: str) -> tuple[int, int]:
    """The least and the most that an axis of the output was built for, by the index along it."""
    index = next(name for name in positions if CONTRACT[name] == (axis,))
    return profile[index].minimum[0], profile[index].maximum[0]


def _covers(minimum: Shape, shape: Shape, maximum: Shape) -> bool:
    triples = zip(minimum, shape, maximum, strict=True)
    return all(least <= size <= most for least, size, most in triples)


class TensorRTExecution:
    def __init__(self, library: Library, key: EngineKey, context: IExecutionContext) -> None:
        self._library, self._key, self._context = library, key, context
        self.scratch_bytes = self.generation = 0
        self._profile: int | None = None
        self._shapes: Mapping[str, Shape] = {}
        self._scratch: tuple[int, int] | None = None
        self._bound: dict[str, int] = {}

    def reshape(self, shapes: Mapping[str, Shape], stream_handle: int) -> None:
        if shapes == self._shapes:
            return
        index = profile_index(self._key, shapes)
        if index is None:
            raise EngineError(f"{self._key.name} was not built for {dict(shapes)}: edge-sr build --sizes WxH")
        self._shapes, self._scratch, self._bound = {}, None, {}
        self.generation += 1
        if index != self._profile and not self._context.set_optimization_profile_async(index, stream_handle):
            raise EngineError(f"TensorRT refuses profile {index}: {self._library.last_error()}")
        self._profile = index
        for name, shape in shapes.items():
            if not self._context.set_input_shape(name, shape):
                raise EngineError(
                    f"{self._key.name} does not take {name} as {shape}: {self._library.last_error()}"
                )
        self.scratch_bytes = self._needed_scratch()
        self._shapes = dict(shapes)

    def _needed_scratch(self) -> int:
        """Nothing is an answer, and so is an error: TensorRT returns 0 for both, but logs the error."""
        said = len(self._library.log)
        needed = int(self._context.update_device_memory_size_for_shapes())
        if needed == 0 and self._library.errors(said):
            raise EngineError(f"{self._key.name} does not take these shapes: {self._library.last_error()}")
        return needed

    def use_scratch(self, address: int, nbytes: int) -> None:
        if self._scratch == (address, nbytes):
            return
        if hasattr(self._context, "set_device_memory"):
            cast(SizedContext, self._context).set_device_memory(address, nbytes)
        else:
            self._context.device_memory = address
        self._scratch = address, nbytes

    def bind(self, name: str, address: int) -> None:
        # A pointer that stays is not set again: TensorRT for RTX may capture its own graph anew for each change.
        if self._bound.get(name) == address:
            return
        if not self._context.set_tensor_address(name, address):
            raise EngineError(
                f"{self._key.name} has no tensor {name!r}; build it again: edge-sr build --force"
            )
        self._bound[name] = address

    def enqueue(self, stream_handle: int) -> None:
        if not self._context.execute_async_v3(stream_handle):
            raise _run_error(self._key.name, self._library.last_error())


def _run_error(name: str, reason: str) -> ResourceError:
    """Too little memory is told from all else, since smaller tiles may do with what there is."""
    if "outofmemory" in reason.lower().replace(" ", ""):
        return MemoryLimitError(f"the GPU is out of memory for {name}: {reason}")
    return DeviceError(f"{name} could not be run: {reason}; see edge-sr doctor")


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
                f"TensorRT does not load {key.name}: {library.last_error()}; "
                "edge-sr build --force makes it again"
            )
        self._engine: ICudaEngine | None = engine
        self._execution: Execution | None = None
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
        # Its own graphs are captured again whenever a pointer changes (pytorch/TensorRT #4187), and slots and
        # tiles change them at nearly every call.
        config.cuda_graph_strategy = self._library.module.CudaGraphStrategy.DISABLED
        self._config = config

    @property
    def execution(self) -> Execution:
        if self._execution is None:
            self._execution = TensorRTExecution(self._library, self.key, self._context())
        return self._execution

    def _context(self) -> IExecutionContext:
        if self._config is not None:
            context = cast(RtxEngine, self._engine).create_execution_context(self._config)
        else:
            context = cast(ICudaEngine, self._engine).create_execution_context(self._user_managed)
        if context is None:
            raise MemoryLimitError(f"no room on the GPU to run {self.key.name}: {self._library.last_error()}")
        return context

    def close(self) -> None:
        """Keep the kernels that were compiled on this device, and let go of the engine."""
        if self._cache is not None:
            self._keep(bytes(self._cache.serialize()))
        self._cache = self._config = self._execution = self._engine = None

    def _keep(self, kernels: bytes) -> None:
        try:
            write_sealed(self._path, kernels, self.key.name)
        except EdgeSRError as error:
            # They cost the next run some seconds, and this one nothing.
            warnings.warn(f"kernels compiled on this GPU are not kept: {error}", stacklevel=2)
