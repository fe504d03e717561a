"""Engines on a real GPU: every shipped bundle built for this device, proven, and held to ONNX Runtime's result.

    python -m pytest tests/gpu/test_engine.py -s

Needs a TensorRT flavour that supports the GPU, and the ``cuda`` extra; what is missing is named.
"""

from __future__ import annotations

import math
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.engine_standin import results_of
from support.tiny_bundle import write_network

from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.onnxruntime.runner import OnnxEncoder, OnnxRunner
from edge_sr.backends.tensorrt.open import open_network, open_runner, unavailable_reason
from edge_sr.backends.tensorrt.verification.verified import difference
from edge_sr.bundle import Bundle, shipped_bundles
from edge_sr.engines.build.builder import build
from edge_sr.engines.build.request import BuildRequest, find_workplace
from edge_sr.engines.interface import loader as trt
from edge_sr.engines.interface.loader import Flavour
from edge_sr.engines.store.store import EngineStore
from edge_sr.engines.target import load_target
from edge_sr.grid import sampling_grid
from edge_sr.machine.gpu import find_gpu
from edge_sr.tensors import reference_card

SIZE, AFTERS = (320, 180), ((640, 360), (864, 486))
# Levels and dB against FP32 on the CPU.
LIMITS = {"fp32": (1, 60.0), "fp16": (2, 55.0)}


@pytest.fixture(params=list(Flavour), ids=lambda flavour: flavour.value)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    reason = unavailable_reason(request.param)
    if reason is not None:
        pytest.skip(f"not run: {reason}")
    chosen: Flavour = request.param
    return chosen


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineStore:
    monkeypatch.setenv("EDGE_SR_CACHE", str(tmp_path / "engines"))
    return EngineStore()


def build_for_this_device(
    bundle: Bundle, precision: str, flavour: Flavour, cache: EngineStore, size: tuple[int, int] = SIZE
) -> None:
    target = load_target("auto", find_gpu())
    request = BuildRequest(bundle, target, precision, (size,), depth=10, flavour=flavour)
    build(request, find_workplace(request, ""), cache, print)


def reference(bundle: Bundle, image: Any, after: tuple[int, int], io: str) -> Any:
    with closing(OnnxRunner(RunnerConfig(bundle, "fp32", io, 4))) as runner:
        return runner.decode(runner.encode(image), image, sampling_grid(SIZE, after))


@pytest.mark.parametrize("io", ["uint8", "float"])
@pytest.mark.parametrize("precision", list(LIMITS))
@pytest.mark.parametrize("name", [bundle.name for bundle in shipped_bundles()])
def test_the_gpus_picture_is_the_cpus(
    name: str, precision: str, io: str, flavour: Flavour, engines: EngineStore
) -> None:
    bundle = next(bundle for bundle in shipped_bundles() if bundle.name == name)
    build_for_this_device(bundle, precision, flavour, engines)
    image = reference_card(*SIZE)[None]
    image = image if io == "uint8" else image.astype(np.float32) / np.float32(255)
    with closing(open_runner(RunnerConfig(bundle, precision, io), flavour)) as runner:
        for after in AFTERS:
            grid = sampling_grid(SIZE, after)
            maps = runner.encode(image)
            psnr, levels = difference(runner.decode(maps, image, grid), reference(bundle, image, after, io))
            print(f"\n{name} {precision} {io} {after}: {levels} levels, {psnr:.1f} dB, {_versions(flavour)}")
            most, least = LIMITS[precision]
            assert levels <= most and (psnr >= least or math.isinf(psnr))
        _time_parts(runner, image, grid)


@pytest.mark.parametrize("size", [SIZE, (128, 96)], ids=["whole", "windows"])
@pytest.mark.parametrize("kind", [("fixed", 2), ("refine", 1)], ids=lambda kind: str(kind[0]))
def test_a_networks_picture_is_the_cpus(
    kind: tuple[str, int], size: tuple[int, int], flavour: Flavour, engines: EngineStore, tmp_path: Path
) -> None:
    bundle = write_network(tmp_path, *kind)
    build_for_this_device(bundle, "fp32", flavour, engines, size)
    image = reference_card(*SIZE)[None]
    wanted = OnnxEncoder(RunnerConfig(bundle, "fp32"), "network").encode(image)
    with closing(open_network(RunnerConfig(bundle, "fp32"), flavour)) as network:
        for result in [network.encode(image)[0], *(one.frame for one in network.stream([image[0]] * 4))]:
            assert difference(result, wanted[0])[0] >= LIMITS["fp32"][1]


def _time_parts(runner: Any, image: Any, grid: Any) -> None:
    marks = [time.perf_counter()]
    for _ in range(20):
        maps = runner.encode(image)
        marks.append(time.perf_counter())
        runner.decode(maps, image, grid)
        marks.append(time.perf_counter())
    steps = 1000 * np.diff(marks)
    started = time.perf_counter()
    times = [result.times for result in results_of(runner, [image] * 60, grid)]
    each = 1000 * (time.perf_counter() - started) / len(times)
    print(
        f"encode {np.median(steps[0::2]):.2f} ms, decode {np.median(steps[1::2]):.2f} ms, in flight {each:.2f} ms"
    )
    for part in ("upload_ms", "encoder_ms", "decoder_ms", "download_ms"):
        print(f"on the device, {part}: {np.median([getattr(parts, part) for parts in times]):.3f}")


def _versions(flavour: Flavour) -> str:
    gpu = find_gpu()
    return f"{flavour.value} {trt.installed_version(flavour)} on {gpu.name}, CUDA {gpu.driver_cuda}"
