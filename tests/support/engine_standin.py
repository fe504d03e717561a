"""A stand-in for a TensorRT engine on the checking device: ONNX Runtime computes the same graph.

It does what an engine does as far as the runner can tell: contexts for shapes, tensors bound by address, work
enqueued on a stream by its handle, scratch memory that must have been lent and is overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from edge_sr.backends.base import Encoder, Runner
from edge_sr.backends.onnxruntime.runner import open_session
from edge_sr.backends.registry import Backend
from edge_sr.backends.tensorrt.engine import profile_index
from edge_sr.backends.tensorrt.network import TensorRTNetwork
from edge_sr.backends.tensorrt.open import reach_of
from edge_sr.backends.tensorrt.runner import TensorRTRunner
from edge_sr.backends.tensorrt.windows import window_of
from edge_sr.bundle import Bundle
from edge_sr.engines.build.request import BuildRequest, Workplace, engine_keys, find_graph
from edge_sr.engines.interface.loader import Flavour
from edge_sr.engines.store.identity import EngineKey, Shape
from edge_sr.engines.store.shapes import Pair, pair_of
from edge_sr.engines.target import load_target
from edge_sr.errors import EngineError, MissingError
from support.cuda.device import FakeDriver
from support.cuda.queue import Work

SCRATCH_PER_VALUE = 64


class StandInExecution:
    def __init__(
        self, driver: FakeDriver, session: Any, form: Pair | int, shapes: Mapping[str, Shape]
    ) -> None:
        self.driver, self.session, self.form, self.shapes = driver, session, form, dict(shapes)
        self.bound: dict[str, int] = {}
        self.scratch = (0, 0)
        positions = () if isinstance(form, int) else form.positions[:2]
        along = [shapes[name][0] for name in positions if name in shapes]
        values = int(np.prod(along or shapes["image"]))
        self.scratch_bytes = SCRATCH_PER_VALUE * values

    def use_scratch(self, address: int, nbytes: int) -> None:
        self.scratch = (address, nbytes)

    def bind(self, name: str, address: int) -> None:
        if address % 256:
            raise EngineError(f"{name} is bound to {address:#x}, which is not aligned")
        self.bound[name] = address

    def enqueue(self, stream_handle: int) -> None:
        if self.scratch[1] < self.scratch_bytes:
            raise EngineError("enqueued without enough scratch memory")
        spans = {
            i.name: (self.bound[i.name], _input_bytes(i, self.shapes)) for i in self.session.get_inputs()
        }
        (output,) = self.session.get_outputs()
        result = self._result_shape()
        written = (self.bound[output.name], _bytes(np.dtype(_DTYPES[output.type]), result))
        scratch = self.scratch[0], self.scratch_bytes

        def compute() -> None:
            value = onnx_result(
                self.session, self.shapes, lambda name, _: self.driver.view(*spans[name]).tobytes()
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

    def execution(self, shapes: Mapping[str, Shape], stream_handle: int) -> StandInExecution:
        assert stream_handle in self.driver.streams
        if profile_index(self.key, shapes) is None:
            raise EngineError(f"{self.key.name} was not built for {dict(shapes)}")
        return StandInExecution(self.driver, self.session, self.form, shapes)

    def close(self) -> None:
        pass


def keys_for(
    bundle: Bundle,
    precision: str = "fp32",
    io: str = "uint8",
    tile: tuple[int, int] = (96, 32),
    **sizes: Any,
) -> list[EngineKey]:
    """Every part of the bundle for every input up to 64 x 64, or for the ``sizes`` of a build."""
    target = replace(load_target("rtx-40"), tile=f"{tile[0]}x{tile[1]}")
    depth = 8 if io == "uint8" else 10
    request = BuildRequest(bundle, target, precision, depth=depth, **(sizes or {"max_size": (64, 64)}))
    return [key for key in engine_keys(request, Workplace(Flavour.RTX, "0", None)) if key.io == io]


def runner_for(
    bundle: Bundle, driver: FakeDriver, precision: str = "fp32", io: str = "uint8", **options: Any
) -> TensorRTRunner:
    """The real runner over stand-ins, with tiles up to ``tile`` (width, height)."""
    keys = keys_for(bundle, precision, io, options.pop("tile", (96, 32)))
    engines = {key.part: StandInEngine(driver, bundle, key) for key in keys}
    maps_dtype = find_graph(bundle, "encoder", precision, io).outputs[0].dtype

    def find(part: str, shapes: Mapping[str, Shape]) -> StandInEngine:
        assert all(min(shape) > 0 for shape in shapes.values())
        return engines[part]

    return TensorRTRunner(
        pair_of(bundle.description), precision, io, "tensorrt", find, driver, maps_dtype, **options
    )


def network_for(
    bundle: Bundle, driver: FakeDriver, precision: str = "fp32", io: str = "uint8", **sizes: Any
) -> TensorRTNetwork:
    """The real network over a stand-in, built for ``sizes``."""
    (key,) = keys_for(bundle, precision, io, **sizes)
    engine, reach = StandInEngine(driver, bundle, key), reach_of(bundle)

    def find(image: Shape) -> tuple[StandInEngine, Shape]:
        window = window_of(key, image, reach)
        if window is None:
            raise MissingError(f"no engine for {image}")
        return engine, window

    return TensorRTNetwork(bundle.description.scale, reach, io, "tensorrt", find, driver)


def checked_backend(drivers: list[FakeDriver], integrated: bool = False, **sizes: Any) -> Backend:
    """A backend over stand-ins; every device that it opens joins ``drivers``."""

    def open_runner(bundle: Bundle, precision: str, io: str, threads: int) -> Runner:
        assert threads >= 1
        drivers.append(FakeDriver(integrated=integrated))
        return runner_for(bundle, drivers[-1], precision, io)

    def open_network(bundle: Bundle, precision: str, io: str, threads: int) -> Encoder:
        assert threads >= 1
        drivers.append(FakeDriver(integrated=integrated))
        return network_for(bundle, drivers[-1], precision, io, **sizes)

    return Backend("checked", open_runner, lambda: None, lambda _: True, tuple, open_network)
