"""What TensorRT is told to load and run an engine, with a stand-in for what needs a GPU."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_sr.backends.tensorrt.engine import TensorRTEngine
from edge_sr.bundle import Bundle
from edge_sr.engines.build.request import BuildRequest, Workplace, engine_keys
from edge_sr.engines.interface.loader import Flavour, Library, installed_version, load
from edge_sr.engines.store.identity import EngineKey
from edge_sr.engines.store.sealed import read_sealed, write_sealed
from edge_sr.engines.target import load_target
from edge_sr.errors import DeviceError, EngineError, MemoryLimitError

STREAM = 77


@dataclasses.dataclass
class Device:
    """What TensorRT has been told, and which of its calls fail."""

    fails: str = ""
    kernels: bytes = b"compiled here"
    reason: str = "it said so"
    log: list[str] = dataclasses.field(default_factory=list)
    calls: list[tuple[Any, ...]] = dataclasses.field(default_factory=list)

    def note(self, name: str, *arguments: Any) -> bool:
        self.calls.append((name, *arguments))
        if self.fails == name:
            self.log.append(f"ERROR: {self.reason}")
        return self.fails != name

    def scratch(self) -> int:
        return 4096 if self.note("scratch") else 0

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for called, *arguments in self.calls if called == name]


class Context:
    def __init__(self, device: Device) -> None:
        self._device = device

    def __getattr__(self, name: str) -> Any:
        if name == "update_device_memory_size_for_shapes":
            return lambda: self._device.scratch()
        return lambda *arguments: self._device.note(name, *arguments)


class Loaded:
    def __init__(self, device: Device) -> None:
        self._device = device

    def create_runtime_config(self) -> Any:
        device = self._device
        cache = SimpleNamespace(
            deserialize=lambda blob: device.note("kernels", blob), serialize=lambda: device.kernels
        )
        return SimpleNamespace(
            create_runtime_cache=lambda: cache,
            set_runtime_cache=lambda given: device.note("cache", given is cache),
            set_execution_context_allocation_strategy=lambda given: device.note("strategy", given),
        )

    def create_execution_context(self, how: Any) -> Context | None:
        how = getattr(how, "cuda_graph_strategy", how)
        return Context(self._device) if self._device.note("context", how) else None


def library(device: Device, flavour: Flavour) -> Library:
    def deserialize(plan: bytes) -> Loaded | None:
        return Loaded(device) if device.note("plan", plan) else None

    module = SimpleNamespace(
        Runtime=lambda _: SimpleNamespace(deserialize_cuda_engine=deserialize),
        ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED="lent memory"),
        CudaGraphStrategy=SimpleNamespace(WHOLE_GRAPH_CAPTURE="own graphs", DISABLED="no graphs"),
    )
    return Library(flavour, "1.0", module, None, device.log)


@pytest.fixture
def key(nano: Bundle) -> EngineKey:
    request = BuildRequest(nano, load_target("rtx-40"), "fp16", ((64, 48), (96, 64)))
    return engine_keys(request, Workplace(Flavour.RTX, "1.0", None))[0]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "engine.jit"


@pytest.mark.parametrize("flavour, context", [(Flavour.RTX, "no graphs"), (Flavour.TENSORRT, "lent memory")])
def test_a_context_gets_its_profile_shapes_memory_and_addresses(
    key: EngineKey, kept: Path, flavour: Flavour, context: str
) -> None:
    device = Device()
    engine = TensorRTEngine(library(device, flavour), key, b"the plan", kept)
    execution = engine.execution
    for _ in range(2):
        execution.reshape({"image": (1, 64, 96, 3)}, STREAM)
        execution.use_scratch(1 << 20, execution.scratch_bytes)
        execution.bind("image", 256)
    execution.enqueue(STREAM)
    assert device.named("plan") == [[b"the plan"]]
    assert device.named("context") == [[context]]
    assert device.named("set_optimization_profile_async") == [[1, STREAM]]
    assert device.named("set_input_shape") == [["image", (1, 64, 96, 3)]]
    assert device.named("set_device_memory") == [[1 << 20, 4096]]
    assert device.named("set_tensor_address") == [["image", 256]]
    assert device.named("execute_async_v3") == [[STREAM]]
    engine.close()
    assert kept.exists() is (flavour is Flavour.RTX)


def test_kernels_compiled_here_are_there_at_the_next_run(key: EngineKey, kept: Path) -> None:
    for expected in ([], [[b"compiled here"]]):
        device = Device()
        TensorRTEngine(library(device, Flavour.RTX), key, b"", kept).close()
        assert device.named("kernels") == expected
        assert device.named("cache") == [[True]]
    assert read_sealed(kept, key.name) == b"compiled here"


def test_kernels_of_another_engine_are_not_read(key: EngineKey, kept: Path) -> None:
    write_sealed(kept, b"others", "another engine")
    device = Device()
    TensorRTEngine(library(device, Flavour.RTX), key, b"", kept)
    assert device.named("kernels") == []


def test_kernels_that_cannot_be_kept_are_a_warning(key: EngineKey, tmp_path: Path) -> None:
    engine = TensorRTEngine(library(Device(), Flavour.RTX), key, b"", tmp_path / "absent" / "engine.jit")
    with pytest.warns(UserWarning, match="are not kept"):
        engine.close()


@pytest.mark.parametrize(
    "fails, kind, message",
    [
        ("plan", EngineError, "does not load .*it said so; edge-sr build --force makes it again"),
        ("context", MemoryLimitError, "no room on the GPU"),
        ("set_optimization_profile_async", EngineError, "refuses profile 0: it said so"),
        ("set_input_shape", EngineError, "does not take image as"),
        ("set_tensor_address", EngineError, "has no tensor 'image'"),
        ("execute_async_v3", DeviceError, "could not be run: it said so; see edge-sr doctor"),
    ],
)
def test_what_tensorrt_refuses_is_one_error(
    key: EngineKey, kept: Path, fails: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        engine = TensorRTEngine(library(Device(fails), Flavour.RTX), key, b"", kept)
        execution = engine.execution
        execution.reshape({"image": (1, 48, 64, 3)}, STREAM)
        execution.bind("image", 256)
        execution.enqueue(STREAM)


def test_shapes_outside_every_profile_name_the_command(key: EngineKey, kept: Path) -> None:
    engine = TensorRTEngine(library(Device(), Flavour.RTX), key, b"", kept)
    with pytest.raises(EngineError, match="edge-sr build --sizes WxH"):
        engine.execution.reshape({"image": (1, 48, 66, 3)}, STREAM)


@pytest.mark.skipif(installed_version(Flavour.RTX) is None, reason="TensorRT for RTX is not installed")
def test_the_real_library_loads_nothing_that_is_no_engine(key: EngineKey, kept: Path) -> None:
    with pytest.raises(
        EngineError, match=r"does not load diinn-nano.*; edge-sr build --force makes it again"
    ):
        TensorRTEngine(load(Flavour.RTX), key, b"no engine", kept)


def test_a_context_is_made_once_and_takes_shapes_in_turn(key: EngineKey, kept: Path) -> None:
    device = Device()
    engine = TensorRTEngine(library(device, Flavour.TENSORRT), key, b"the plan", kept)
    execution = engine.execution
    for shape in ((1, 48, 64, 3), (1, 64, 96, 3), (1, 64, 96, 3), (1, 48, 64, 3)):
        execution.reshape({"image": shape}, STREAM)
        execution.bind("image", 512)
    assert engine.execution is execution and len(device.named("context")) == 1
    assert execution.generation == 3
    assert [index for index, _ in device.named("set_optimization_profile_async")] == [0, 1, 0]
    # Once for each change of shapes; an address that stays is not set again.
    assert len(device.named("set_tensor_address")) == 3


def test_no_scratch_is_an_answer_and_an_error_is_none(key: EngineKey, kept: Path) -> None:
    device = Device(fails="scratch", reason="shapes are inconsistent")
    engine = TensorRTEngine(library(device, Flavour.TENSORRT), key, b"the plan", kept)
    with pytest.raises(EngineError, match="shapes are inconsistent"):
        engine.execution.reshape({"image": (1, 48, 64, 3)}, STREAM)


def test_too_little_memory_is_told_from_a_lost_device(key: EngineKey, kept: Path) -> None:
    """So that the runner tries smaller tiles."""
    device = Device(
        fails="execute_async_v3", reason="Error Code 2: OutOfMemory (Requested size was 9 bytes.)"
    )
    execution = TensorRTEngine(library(device, Flavour.TENSORRT), key, b"the plan", kept).execution
    execution.reshape({"image": (1, 48, 64, 3)}, STREAM)
    with pytest.raises(MemoryLimitError, match="OutOfMemory"):
        execution.enqueue(STREAM)
