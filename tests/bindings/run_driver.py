"""Exercise a driver package on ``libcuda.c``; run by ``test_trt_drivers.py`` in a process of its own.

Prints one line for each thing that held; any other ending is a failure.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping

import numpy as np
from support.drivers import open_with
from support.engine_standin import keys_for, onnx_result, results_of

from edge_sr.backends.base import PartTimes, RunnerConfig
from edge_sr.backends.cuda.driver.protocol import KernelDriver
from edge_sr.backends.onnxruntime.runner import OnnxRunner, open_session
from edge_sr.backends.tensorrt.runner import PairForm, TensorRTRunner
from edge_sr.bundle import open_bundle
from edge_sr.engines.store.identity import Shape
from edge_sr.errors import MemoryLimitError
from edge_sr.grid import sampling_grid
from edge_sr.kinds import Role
from edge_sr.tensors import reference_card

BUNDLE = open_bundle("diinn-nano")
IMAGE, GRID = reference_card(40, 30)[None], sampling_grid((40, 30), (100, 75))


class HostExecution:
    """Computes at once, on addresses that are host memory here."""

    scratch_bytes = 1024

    def __init__(self, part: Role) -> None:
        self.session = open_session(BUNDLE.graph(part, "fp32"), 1)
        self.shapes, self.bound = dict[str, Shape](), dict[str, int]()
        self.generation = 0

    def reshape(self, shapes: Mapping[str, Shape], stream_handle: int) -> None:
        assert stream_handle
        self.generation += shapes != self.shapes
        self.shapes = dict(shapes)

    def use_scratch(self, address: int, nbytes: int) -> None:
        assert address and nbytes >= self.scratch_bytes

    def bind(self, name: str, address: int) -> None:
        assert address % 256 == 0
        self.bound[name] = address

    def enqueue(self, stream_handle: int) -> None:
        assert stream_handle
        result = onnx_result(self.session, self.shapes, lambda name, n: ctypes.string_at(self.bound[name], n))
        (output,) = self.session.get_outputs()
        ctypes.memmove(self.bound[output.name], result.tobytes(), result.nbytes)


class HostEngine:
    def __init__(self, part: Role) -> None:
        self.key = next(key for key in keys_for(BUNDLE) if key.part == part)
        self.execution = HostExecution(part)

    def close(self) -> None:
        pass


def main(package: str) -> None:
    driver = open_with(package)
    print("opened", driver.name, driver.integrated, driver.compute_capability)
    runner = runner_on(driver)
    check_pictures(runner)
    check_capture(driver)
    check_memory(driver, runner)
    driver.close()


def runner_on(driver: KernelDriver) -> TensorRTRunner:
    parts: tuple[Role, ...] = ("encoder", "decoder")
    engines = {part: HostEngine(part) for part in parts}

    def find(part: Role, shapes: Mapping[str, Shape]) -> HostEngine:
        assert shapes
        return engines[part]

    return TensorRTRunner(PairForm.of(RunnerConfig(BUNDLE, "fp32")), "tensorrt", find, driver, graphs=False)


def check_pictures(runner: TensorRTRunner) -> None:
    with OnnxRunner(RunnerConfig(BUNDLE, "fp32")) as cpu:
        reference = cpu.decode(cpu.encode(IMAGE), IMAGE, GRID)
    one = runner.decode(runner.encode(IMAGE), IMAGE, GRID)
    assert np.abs(one.astype(int) - reference.astype(int)).max() <= 1
    print("one frame is right")
    results = list(results_of(runner, (IMAGE for _ in range(7)), GRID))
    assert results[-1].times == PartTimes(1.0, 1.0, 1.0, 1.0)
    assert len(results) == 7 and all((result.frame == one[0]).all() for result in results)
    print("seven frames in flight are right")


def check_capture(driver: KernelDriver) -> None:
    assert driver.can_capture
    with driver.entered():
        stream = driver.stream()
        driver.begin_capture(stream)
        graph = driver.end_capture(stream)
        graph.launch(stream)
        graph.free()
    assert ctypes.c_int.in_dll(ctypes.CDLL("libcuda.so.1"), "graphs").value == 0
    print("a graph was captured, launched and freed")


def check_memory(driver: KernelDriver, runner: TensorRTRunner) -> None:
    assert runner.device_bytes > 0
    runner.close()
    assert runner.device_bytes == 0
    print("all device memory was freed")
    try:
        with driver.entered():
            driver.allocate(1 << 40)
    except MemoryLimitError as error:
        print("out of memory is ours:", error)
    with driver.entered():
        mapped = driver.allocate_host((8,), np.uint8, True)
        assert mapped.address
        early, late, stream = driver.event(), driver.event(), driver.stream()
        early.record(stream)
        late.record(stream)
        late.synchronize()
        assert late.milliseconds_since(early) == 1.0
        for item in (early, late, mapped):
            item.free()
    print("mapped memory and event times work")


if __name__ == "__main__":
    main(sys.argv[1])
