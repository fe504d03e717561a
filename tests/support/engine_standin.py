"""A stand-in for a TensorRT engine on the checking device: ONNX Runtime computes the same graph.

It does what an engine does as far as the runner can tell: contexts for shapes, tensors bound by address, work
enqueued on a stream by its handle, scratch memory that must have been lent and is overwritten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from edge_sr.backends.base import Encoder, Result, Runner, RunnerConfig
from edge_sr.backends.onnxruntime.runner import open_session
from edge_sr.backends.registry import Backend
from edge_sr.backends.tensorrt.engine import profile_index
from edge_sr.backends.tensorrt.network import TensorRTNetwork, reach_of
from edge_sr.backends.tensorrt.runner import PairForm, TensorRTRunner
from edge_sr.backends.tensorrt.windows import window_of
from edge_sr.bundle import Bundle
from edge_sr.engines.build.request import BuildRequest, Workplace, engine_keys
from edge_sr.engines.interface.loader import Flavour
from edge_sr.engines.store.identity import EngineKey, EngineManifest, Shape
from edge_sr.engines.store.shapes import PairShapes, pair_of
from edge_sr.engines.store.store import SCHEMA, EngineFile, EngineStore
from edge_sr.engines.target import load_target
from edge_sr.errors import EngineError, MissingError
from edge_sr.grid import SamplingGrid
from edge_sr.kinds import Precision, Role, SampleType
from edge_sr.machine.gpu import Gpu
from edge_sr.plan import Plan
from edge_sr.sizes import whole
from support.cuda.device import FakeDriver
from support.cuda.queue import Work

SCRATCH_PER_VALUE = 64


class StandInExecution:
    def __init__(self, driver: FakeDriver, session: Any, form: PairShapes | int, key: EngineKey) -> None:
        self.driver, self.session, self.form, self.key = driver, session, form, key
        self.shapes: dict[str, Shape] = {}
        self.bound: dict[str, int] = {}
        self.scratch = (0, 0)
        self.scratch_bytes = self.generation = 0
        # How often a tensor's address changed, and how often the engine was enqueued.
        self.pointer_changes = self.enqueued = 0

    def reshape(self, shapes: Mapping[str, Shape], stream_handle: int) -> None:
        assert stream_handle in self.driver.streams
        if profile_index(self.key, shapes) is None:
            raise EngineError(f"{self.key.name} was not built for {dict(shapes)}")
        if self.shapes == shapes:
            return
        if self.driver.capture is not None:
            raise EngineError("a context took new shapes while a graph is captured")
        self.shapes, self.generation = dict(shapes), self.generation + 1
        positions = () if isinstance(self.form, int) else self.form.positions[:2]
        along = [shapes[name][0] for name in positions if name in shapes]
        values = int(np.prod(along or shapes["image"]))
        self.scratch_bytes = SCRATCH_PER_VALUE * values

    def use_scratch(self, address: int, nbytes: int) -> None:
        self.scratch = (address, nbytes)

    def bind(self, name: str, address: int) -> None:
        if address % 256:
            raise EngineError(f"{name} is bound to {address:#x}, which is not aligned")
        self.pointer_changes += self.bound.get(name) != address
        self.bound[name] = address

    def enqueue(self, stream_handle: int) -> None:
        if self.scratch[1] < self.scratch_bytes:
            raise EngineError("enqueued without enough scratch memory")
        self.enqueued += 1
        spans = {
            i.name: (self.bound[i.name], _input_bytes(i, self.shapes)) for i in self.session.get_inputs()
        }
        (output,) = self.session.get_outputs()
        result = self._result_shape()
        written = (self.bound[output.name], _bytes(np.dtype(_DTYPES[output.type]), result))
        scratch, shapes = (self.scratch[0], self.scratch_bytes), self.shapes

        def compute() -> None:
            value = onnx_result(
                self.session, shapes, lambda name, _: self.driver.view(*spans[name]).tobytes()
            )
            assert value.shape == result
            self.driver.view(*scratch)[:] = 0xEE
            self.driver.view(*written)[:] = np.frombuffer(value.tobytes(), np.uint8)

        work = Work(output.name, list(spans.values()), [written, scratch], compute)
        self.driver.launch(stream_handle, work)

    def _result_shape(self) -> Shape:
        if isinstance(self.form, int):
            _, h, w, _ = self.shapes["image"]
            return 1, self.form * h, self.form * w, 3
        if "maps" not in self.shapes:
            _, h, w, _ = self.shapes["image"]
            return self.form.shape("maps", (w, h), (1, 1))
        tall, wide = (self.shapes[name][0] for name in self.form.positions[:2])
        return 1, tall - 2 * self.form.halo, wide - 2 * self.form.halo, 3


_DTYPES = {
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
}


def onnx_result(session: Any, shapes: Mapping[str, Shape], read: Callable[[str, int], bytes]) -> Any:
    """The graph's output for inputs whose bytes ``read`` gives, by name and length."""
    feeds = {}
    for port in session.get_inputs():
        content = read(port.name, _input_bytes(port, shapes))
        feeds[port.name] = np.frombuffer(content, _DTYPES[port.type]).reshape(shapes[port.name])
    return session.run(None, feeds)[0]


def _input_bytes(port: Any, shapes: Mapping[str, Shape]) -> int:
    return _bytes(np.dtype(_DTYPES[port.type]), shapes[port.name])


def _bytes(dtype: np.dtype[Any], shape: Shape) -> int:
    return int(np.prod(shape)) * dtype.itemsize


class StandInEngine:
    """The graph ``part`` of a bundle as an engine with the key's profiles."""

    def __init__(self, driver: FakeDriver, bundle: Bundle, key: EngineKey) -> None:
        self.driver, self.key, description = driver, key, bundle.description
        # A network of one graph is told by how much larger its result is.
        self.form = description.scale if key.part == "network" else pair_of(description)
        self.session = open_session(bundle.graph(key.part, key.precision, key.io), 1)
        self.execution = StandInExecution(driver, self.session, self.form, key)

    def close(self) -> None:
        pass


def keys_for(
    bundle: Bundle,
    precision: Precision = "fp32",
    io: SampleType = "uint8",
    tile: tuple[int, int] = (96, 32),
    static_tiles: bool = False,
    **sizes: Any,
) -> list[EngineKey]:
    """Every part of the bundle for every input up to 64 x 64, or for the ``sizes`` of a build."""
    target = replace(load_target("rtx-40"), tile=f"{tile[0]}x{tile[1]}")
    depth = 8 if io == "uint8" else 10
    request = BuildRequest(bundle, target, precision, depth=depth, **(sizes or {"max_size": (64, 64)}))
    version = "10.3.0" if static_tiles else "0"
    flavour = Flavour.TENSORRT if static_tiles else Flavour.RTX
    return [key for key in engine_keys(request, Workplace(flavour, version, None)) if key.io == io]


def streamed(runner: Runner, images: Iterable[Any], grid: SamplingGrid) -> Generator[Any, None, None]:
    """What the runner's stream gives for images, ``1 x h x w x 3``, at the grid: images again."""
    with closing(results_of(runner, images, grid)) as results:
        for result in results:
            yield result.frame[None]


def results_of(runner: Runner, images: Iterable[Any], grid: SamplingGrid) -> Generator[Result, None, None]:
    """The same as the runner gives it."""
    plan = Plan(grid.input_size, grid.output_size, whole(grid.output_size), grid, ())
    yield from runner.stream((image[0] for image in images), plan)


def runner_for(
    bundle: Bundle,
    driver: FakeDriver,
    precision: Precision = "fp32",
    io: SampleType = "uint8",
    **options: Any,
) -> TensorRTRunner:
    """The real runner over stand-ins, with tiles up to ``tile`` (width, height)."""
    tile, static = options.pop("tile", (96, 32)), options.pop("static_tiles", False)
    keys = keys_for(bundle, precision, io, tile, static_tiles=static)
    engines = {key.part: StandInEngine(driver, bundle, key) for key in keys}

    def find(part: Role, shapes: Mapping[str, Shape]) -> StandInEngine:
        assert all(min(shape) > 0 for shape in shapes.values())
        return engines[part]

    return TensorRTRunner(
        PairForm.of(RunnerConfig(bundle, precision, io)), "tensorrt", find, driver, **options
    )


def network_for(
    bundle: Bundle, driver: FakeDriver, precision: Precision = "fp32", io: SampleType = "uint8", **sizes: Any
) -> TensorRTNetwork:
    """The real network over a stand-in, built for ``sizes``."""
    (key,) = keys_for(bundle, precision, io, **sizes)
    engine = StandInEngine(driver, bundle, key)

    def find(image: Shape) -> tuple[StandInEngine, Shape]:
        window = window_of(key, image, reach_of(bundle))
        if window is None:
            raise MissingError(f"no engine for {image}")
        return engine, window

    return TensorRTNetwork(RunnerConfig(bundle, precision, io), "tensorrt", find, driver)


def checked_backend(drivers: list[FakeDriver], integrated: bool = False, **sizes: Any) -> Backend:
    """A backend over stand-ins; every device that it opens joins ``drivers``."""

    def open_runner(config: RunnerConfig) -> Runner:
        drivers.append(FakeDriver(integrated=integrated))
        return runner_for(config.bundle, drivers[-1], config.precision, config.sample_type)

    def open_network(config: RunnerConfig) -> Encoder:
        drivers.append(FakeDriver(integrated=integrated))
        return network_for(config.bundle, drivers[-1], config.precision, config.sample_type, **sizes)

    return Backend("checked", open_runner, lambda: None, lambda _: True, open_network=open_network)


def brighten(monkeypatch: pytest.MonkeyPatch, where: Callable[[StandInExecution], bool]) -> None:
    """From now on engines come out a little too bright where asked for, as a badly compiled graph might."""
    enqueue = StandInExecution.enqueue

    def brighter(self: StandInExecution, stream_handle: int) -> None:
        enqueue(self, stream_handle)
        captured = self.driver.capture
        work = self.driver.pending[-1][2] if captured is None else captured[1][-1]
        if where(self):
            action, written = work.action, work.writes[0]

            def spoiled() -> None:
                action()
                view = self.driver.view(*written)
                view[:] = np.minimum(view.astype(int) + 4, 255)

            work.action = spoiled

    monkeypatch.setattr(StandInExecution, "enqueue", brighter)


@dataclass
class StoredEngines:
    """Engines of the stand-in, with their manifests in a real store: what ``Verified`` asks of those in use."""

    config: RunnerConfig
    store: EngineStore
    sizes: dict[str, Any]
    given: Shape | None = None
    gpu: Gpu = field(default_factory=lambda: Gpu("a GPU", "8.9", 8192, False, "13.0"))
    used: dict[Role, EngineFile] = field(default_factory=dict)

    def open_for(self, image: Shape) -> Shape:
        for key in keys_for(self.config.bundle, **self.sizes):
            path = self.store.path(key)
            self.used[key.part] = self.store.open(path) if path.exists() else self._stored(key)
        return self.given or image

    def remember(self, role: Role, file: EngineFile) -> None:
        self.used[role] = file

    def _stored(self, key: EngineKey) -> EngineFile:
        checksum = hashlib.sha256(b"engine").hexdigest()
        manifest = EngineManifest(SCHEMA, key, checksum, 6, 0.1, (), (), "2026-01-01T00:00:00+00:00")
        return self.store.store(manifest, b"engine", "")

    def close(self) -> None:
        pass
