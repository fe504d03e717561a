"""The part of TensorRT's Python interface that Edge SR calls, written down once as types.

The loader is typed against these protocols, so mypy proves that it calls nothing else, and a test
compares each of them with the real bindings of every supported release. Names are TensorRT's own. ``IRuntimeCache``
and what has another name than TensorRT's (``Rtx...``, ``SizedContext``) are not in all releases, and are asked for by
name before they are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class ITensor(Protocol):
    name: str
    shape: Sequence[int]
    dtype: Any
    allowed_formats: int


class ILayer(Protocol):
    name: str
    type: Any
    num_inputs: int
    num_outputs: int

    def get_input(self, index: int) -> ITensor | None: ...
    def get_output(self, index: int) -> ITensor | None: ...


class INetworkDefinition(Protocol):
    num_inputs: int
    num_outputs: int
    num_layers: int

    def get_input(self, index: int) -> ITensor: ...
    def get_output(self, index: int) -> ITensor: ...
    def get_layer(self, index: int) -> ILayer: ...


class IOptimizationProfile(Protocol):
    def set_shape(self, input: str, min: Sequence[int], opt: Sequence[int], max: Sequence[int]) -> None: ...


class ITimingCache(Protocol):
    def serialize(self) -> Any: ...


class IBuilderConfig(Protocol):
    builder_optimization_level: int
    progress_monitor: Any
    default_device_type: Any
    DLA_core: int
    engine_capability: Any

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None: ...
    def add_optimization_profile(self, profile: IOptimizationProfile) -> int: ...
    def set_flag(self, flag: Any) -> None: ...
    def clear_flag(self, flag: Any) -> None: ...
    def can_run_on_DLA(self, layer: ILayer) -> bool: ...
    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache: ...
    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool: ...
    def get_timing_cache(self) -> ITimingCache | None: ...


class Builder(Protocol):
    num_DLA_cores: int
    max_threads: int

    def create_network(self, flags: int) -> INetworkDefinition: ...
    def create_builder_config(self) -> IBuilderConfig: ...
    def create_optimization_profile(self) -> IOptimizationProfile: ...
    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> Any: ...


class IParserError(Protocol):
    def desc(self) -> str: ...
    def node_name(self) -> str: ...
    def node_operator(self) -> str: ...


class OnnxParser(Protocol):
    num_errors: int

    def parse(self, model: bytes) -> bool: ...
    def get_error(self, index: int) -> IParserError: ...


class IExecutionContext(Protocol):
    device_memory: int

    def update_device_memory_size_for_shapes(self) -> int: ...
    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool: ...
    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool: ...
    def set_tensor_address(self, name: str, memory: int) -> bool: ...
    def execute_async_v3(self, stream_handle: int) -> bool: ...


class ICudaEngine(Protocol):
    def create_execution_context(self, strategy: Any) -> IExecutionContext | None: ...


class Runtime(Protocol):
    DLA_core: int

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None: ...


class RtxBuilderConfig(IBuilderConfig, Protocol):
    num_compute_capabilities: int

    def set_compute_capability(self, compute_capability: Any, index: int) -> bool: ...


class IRuntimeCache(Protocol):
    def deserialize(self, blob: bytes) -> bool: ...
    def serialize(self) -> Any: ...


class RtxRuntimeConfig(Protocol):
    cuda_graph_strategy: Any

    def create_runtime_cache(self) -> IRuntimeCache: ...
    def set_runtime_cache(self, cache: IRuntimeCache) -> bool: ...
    def set_execution_context_allocation_strategy(self, strategy: Any) -> None: ...


class RtxEngine(Protocol):
    def create_runtime_config(self) -> RtxRuntimeConfig: ...
    def create_execution_context(self, runtime_config: RtxRuntimeConfig) -> IExecutionContext | None: ...


class SizedContext(Protocol):
    def set_device_memory(self, memory: int, size: int) -> None: ...
