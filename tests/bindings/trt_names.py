"""Which of ``edge_sr.engines.interface.protocols`` a binding must have, and what else of it is used."""

from __future__ import annotations

from edge_sr.engines.interface.protocols import (
    Builder,
    IBuilderConfig,
    ICudaEngine,
    IExecutionContext,
    ILayer,
    INetworkDefinition,
    IOptimizationProfile,
    IParserError,
    IRuntimeCache,
    ITensor,
    ITimingCache,
    OnnxParser,
    RtxBuilderConfig,
    RtxEngine,
    RtxRuntimeConfig,
    Runtime,
    SizedContext,
)

# Protocol -> the class of the bindings that must offer every name of it.
EVERYWHERE: dict[type, str] = {
    Builder: "Builder",
    IBuilderConfig: "IBuilderConfig",
    INetworkDefinition: "INetworkDefinition",
    IOptimizationProfile: "IOptimizationProfile",
    ITimingCache: "ITimingCache",
    ITensor: "ITensor",
    ILayer: "ILayer",
    OnnxParser: "OnnxParser",
    IParserError: "ParserError",
    Runtime: "Runtime",
    ICudaEngine: "ICudaEngine",
    IExecutionContext: "IExecutionContext",
}
RTX_ONLY: dict[type, str] = {
    RtxBuilderConfig: "IBuilderConfig",
    RtxEngine: "ICudaEngine",
    RtxRuntimeConfig: "IRuntimeConfig",
    IRuntimeCache: "IRuntimeCache",
}
SOMETIMES: dict[type, str] = {SizedContext: "IExecutionContext"}

# Enumerations and module-level names, by the same three kinds.
NAMES_EVERYWHERE = (
    "ILogger.Severity.VERBOSE",
    "ILogger.Severity.INFO",
    "ILogger.Severity.WARNING",
    "IProgressMonitor.phase_start",
    "IProgressMonitor.phase_finish",
    "IProgressMonitor.step_complete",
    "BuilderFlag.TF32",
    "BuilderFlag.GPU_FALLBACK",
    "NetworkDefinitionCreationFlag.STRONGLY_TYPED",
    "MemoryPoolType.WORKSPACE",
    "TensorFormat.HWC8",
    "DeviceType.DLA",
    "EngineCapability.STANDARD",
    "ExecutionContextAllocationStrategy.USER_MANAGED",
)
NAMES_RTX_ONLY = (
    "ComputeCapability.SM75",
    "ComputeCapability.SM80",
    "ComputeCapability.SM86",
    "ComputeCapability.SM89",
    "ComputeCapability.SM120",
    "ComputeCapability.SM121",
    "CudaGraphStrategy.DISABLED",
)

# Class -> how many arguments its constructor is given.
CONSTRUCTORS = {"Builder": 1, "OnnxParser": 2, "Runtime": 1}

# Attributes that are assigned, not only read.
ASSIGNED = (
    "IBuilderConfig.builder_optimization_level",
    "IBuilderConfig.progress_monitor",
    "IBuilderConfig.default_device_type",
    "IBuilderConfig.DLA_core",
    "IBuilderConfig.engine_capability",
    "Runtime.DLA_core",
    "ITensor.shape",
    "ITensor.allowed_formats",
    "IExecutionContext.device_memory",
)
