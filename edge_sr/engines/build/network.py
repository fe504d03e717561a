"""An ONNX graph inside TensorRT: parsed as a strongly typed network, looked at, and built into a plan."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from edge_sr.engines.build.interrupts import held_back
from edge_sr.engines.interface.loader import RTX_COMPUTE_CAPABILITIES, Flavour, Library
from edge_sr.engines.interface.protocols import (
    Builder,
    IBuilderConfig,
    INetworkDefinition,
    ITensor,
    OnnxParser,
    RtxBuilderConfig,
)
from edge_sr.engines.store.identity import BuildSettings, Profile, Shape, Tensor
from edge_sr.errors import EngineError, OptionError

Progress = Callable[[str], None]


@dataclass(frozen=True)
class BuiltEngine:
    """A built engine's bytes; ``timing_cache`` is what the next build on this GPU may start from."""

    data: bytes
    timing_cache: bytes | None


class ParsedGraph:
    """An ONNX graph inside a strongly typed TensorRT network, ready to be built once or more.

    ``for_dla``: the inputs' shapes, for an engine of the deep-learning accelerator, which has no dynamic ones. Where
    its TensorRT has an FP16 flag (up to 10) DLA asks for that, and strong typing forbids it: such a network is weakly
    typed. Raises ``EngineError`` when TensorRT cannot read the graph; the message names node and operator.
    """

    def __init__(self, library: Library, model: bytes, for_dla: Mapping[str, Shape] | None = None) -> None:
        self.library = library
        self.refused_timings = False
        self.weakly_typed = for_dla is not None and library.has("BuilderFlag.FP16")
        library.log.clear()
        self._builder = cast(Builder, library.module.Builder(library.logger))
        if library.flavour is Flavour.RTX:
            # It times no kernels: more threads are no faster, and race for what the plan's numbers come from.
            self._builder.max_threads = 1
        typed = 1 << int(library.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        self._network: INetworkDefinition = self._builder.create_network(0 if self.weakly_typed else typed)
        parser = cast(OnnxParser, library.module.OnnxParser(self._network, library.logger))
        with held_back():
            parsed = parser.parse(model)
        if not parsed:
            raise EngineError(
                f"{library.flavour.value} {library.version} cannot read it: {_first_error(parser)}"
            )
        for index in range(self._network.num_inputs if for_dla is not None else 0):
            tensor = self._network.get_input(index)
            tensor.shape = cast(Mapping[str, Shape], for_dla)[tensor.name]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return tuple(_tensor(self._network.get_input(i)) for i in range(self._network.num_inputs))

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return tuple(_tensor(self._network.get_output(i)) for i in range(self._network.num_outputs))

    @property
    def dla_cores(self) -> int:
        return self._builder.num_DLA_cores

    def layers_off_dla(self) -> list[str]:
        """Names of the layers that this device's DLA cannot run; needs the device."""
        config = self._builder.create_builder_config()
        _use_dla(self.library.module, config, 0, gpu_fallback=True, fp16=self.weakly_typed)
        layers = (self._network.get_layer(i) for i in range(self._network.num_layers))
        return [layer.name for layer in layers if not config.can_run_on_DLA(layer)]

    def build(
        self,
        profiles: Sequence[Profile],
        settings: BuildSettings,
        timing_cache: bytes | None = None,
        progress: Progress | None = None,
    ) -> BuiltEngine:
        """The serialized engine; ``EngineError`` with TensorRT's last error when it cannot be built."""
        if settings.maps_last:
            self._network.get_output(0).allowed_formats = 1 << int(self.library.module.TensorFormat.HWC8)
        config = self._config(profiles, settings)
        cache = timing_cache is not None and self.library.flavour is Flavour.TENSORRT
        if cache:
            self._set_timing_cache(config, timing_cache or b"")
        with held_back() as stop:
            if self.library.has("IProgressMonitor"):
                config.progress_monitor = _progress_monitor(self.library.module, progress, stop)
            data = self._builder.build_serialized_network(self._network, config)
        if data is None:
            raise EngineError(f"TensorRT could not build the engine: {_advised(self.library.last_error())}")
        kept = config.get_timing_cache() if cache else None
        return BuiltEngine(bytes(data), bytes(kept.serialize()) if kept is not None else None)

    def _set_timing_cache(self, config: IBuilderConfig, kept: bytes) -> None:
        """What was timed elsewhere, or by another release, TensorRT refuses: then it begins anew."""
        if not config.set_timing_cache(config.create_timing_cache(kept), False):
            self.refused_timings = bool(kept)
            config.set_timing_cache(config.create_timing_cache(b""), False)

    def _config(self, profiles: Sequence[Profile], settings: BuildSettings) -> IBuilderConfig:
        config, trt = self._builder.create_builder_config(), self.library.module
        config.builder_optimization_level = settings.optimization_level
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mib << 20)
        # float32 in the graph means float32: the sines' arguments do not survive TF32's ten bits.
        config.clear_flag(trt.BuilderFlag.TF32)
        # Where all shapes are fixed, a profile has nothing to say.
        for shapes in () if settings.dla_core is not None else profiles:
            self._add_profile(config, shapes)
        if settings.compute_capabilities:
            _set_compute_capabilities(self.library, config, settings.compute_capabilities)
        if settings.dla_core is not None:
            _use_dla(trt, config, settings.dla_core, settings.gpu_fallback, self.weakly_typed)
        return config

    def _add_profile(self, config: IBuilderConfig, shapes: Profile) -> None:
        profile = self._builder.create_optimization_profile()
        for name, span in shapes.items():
            profile.set_shape(name, span.minimum, span.optimum, span.maximum)
        if config.add_optimization_profile(profile) < 0:
            raise EngineError(f"TensorRT refused the shapes {dict(shapes)}: {self.library.last_error()}")


def _advised(reason: str) -> str:
    if "OutOfMemory" not in reason:
        return reason
    return f"{reason}; ask for smaller --sizes, or raise workspace_mib in a target profile of your own"


def _first_error(parser: OnnxParser) -> str:
    if not parser.num_errors:
        return "the file is not an ONNX model"
    error = parser.get_error(0)
    return f"node {error.node_name()!r} ({error.node_operator()}): {error.desc()}"


def _tensor(tensor: ITensor) -> Tensor:
    return Tensor(tensor.name, tuple(tensor.shape), tensor.dtype.name.lower())


def _set_compute_capabilities(library: Library, config: IBuilderConfig, wanted: Sequence[str]) -> None:
    if not library.has("ComputeCapability"):
        raise OptionError(
            f"{library.flavour.value} builds for the GPU it runs on, not for {', '.join(wanted)}"
        )
    rtx = cast(RtxBuilderConfig, config)
    rtx.num_compute_capabilities = len(wanted)
    for index, text in enumerate(wanted):
        member = getattr(library.module.ComputeCapability, "SM" + text.replace(".", ""), None)
        if member is None or not rtx.set_compute_capability(member, index):
            known = ", ".join(RTX_COMPUTE_CAPABILITIES)
            raise OptionError(f"TensorRT for RTX builds for compute capability {known}, not for {text}")


def _use_dla(trt: Any, config: IBuilderConfig, core: int, gpu_fallback: bool, fp16: bool) -> None:
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = core
    config.engine_capability = trt.EngineCapability.STANDARD
    if gpu_fallback:
        config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
    if fp16:
        config.set_flag(trt.BuilderFlag.FP16)


def _progress_monitor(module: Any, progress: Progress | None, stop: threading.Event) -> Any:
    class Monitor(module.IProgressMonitor):  # type: ignore[misc]
        def phase_start(self, phase_name: str, _parent: str | None, _steps: int) -> None:
            if progress is not None:
                progress(phase_name)

        def step_complete(self, _phase: str, _step: int) -> bool:
            return not stop.is_set()

        def phase_finish(self, _phase: str) -> None:
            pass

    return Monitor()
