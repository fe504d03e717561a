"""The device layer on a real GPU: its driver packages alone, with kernels where an engine would be.

    python -m pytest tests/gpu/test_device.py -s

Runs on any NVIDIA GPU, TensorRT or not; needs the ``cuda`` extra, and tries ``pycuda`` too where that is installed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from support.drivers import installed_drivers, open_with
from support.engine_standin import results_of

from edge_sr.backends.base import PartTimes
from edge_sr.backends.cuda.compiler.nvrtc import architectures, load_nvrtc
from edge_sr.backends.cuda.driver.protocol import KernelDriver, Rectangle
from edge_sr.errors import EdgeSRError, MissingError
from edge_sr.grid import sampling_grid
from edge_sr.machine.gpu import Gpu, find_gpu
from edge_sr.tensors import reference_card

SIZE, AFTER = (320, 180), (1013, 571)


@pytest.fixture(scope="module")
def gpu() -> Gpu:
    try:
        return find_gpu()
    except EdgeSRError as error:
        pytest.skip(f"not run: {error}")


@pytest.fixture(params=installed_drivers() or ["cuda-bindings"])
def driver(gpu: Gpu, request: pytest.FixtureRequest) -> Iterator[KernelDriver]:
    try:
        opened = open_with(request.param)
    except EdgeSRError as error:
        pytest.skip(f"not run on {gpu.name}: {error}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def cubin(gpu: Gpu) -> bytes:
    pytest.importorskip("cuda.bindings.driver", reason="not run: cuda-bindings is not installed")
    from support.kernel_engine import compile_kernels

    try:
        return compile_kernels(gpu.compute_capability)
    except MissingError as error:
        pytest.skip(f"not run: {error}")


def pictures(count: int) -> list[Any]:
    return [np.roll(reference_card(*SIZE), 5 * number, axis=1)[None] for number in range(count)]


def nearest(picture: Any) -> Any:
    grid = sampling_grid(SIZE, AFTER)
    return picture[:, grid.rows][:, :, grid.cols]


def test_the_context_is_the_primary_one(driver: KernelDriver) -> None:
    cuda = pytest.importorskip("cuda.bindings.driver")
    _, primary = cuda.cuDevicePrimaryCtxRetain(0)
    with driver.entered():
        _, current = cuda.cuCtxGetCurrent()
    cuda.cuDevicePrimaryCtxRelease(0)
    assert int(current) == int(primary)


def test_a_rectangle_goes_up_and_down_unchanged(driver: KernelDriver) -> None:
    with driver.entered():
        source = driver.allocate_host((6, 16), np.uint8, False)
        target = driver.allocate_host((10, 40), np.uint8, False)
        memory, stream = driver.allocate(96), driver.stream()
        source.array[:], target.array[:] = np.arange(96, dtype=np.uint8).reshape(6, 16), 255
        driver.upload(source, memory.address, stream)
        driver.download_rows(memory.address, target, Rectangle(2 * 40 + 7, 16, 6, 40), stream)
        stream.synchronize()
        expected = np.full((10, 40), 255, np.uint8)
        expected[2:8, 7:23] = source.array
        assert (target.array == expected).all()
        for buffer in (source, target, memory):
            buffer.free()


def test_mapped_memory_has_an_address_on_the_device(driver: KernelDriver) -> None:
    with driver.entered():
        mapped = driver.allocate_host((64,), np.uint8, True)
        assert mapped.address
        mapped.free()


def test_streams_wait_for_events_and_events_measure(driver: KernelDriver) -> None:
    with driver.entered():
        one, two = driver.stream(), driver.stream()
        first, last = driver.event(), driver.event()
        host, memory = driver.allocate_host((1 << 24,), np.uint8, False), driver.allocate(1 << 24)
        first.record(one)
        driver.upload(host, memory.address, one)
        last.record(one)
        two.wait(last)
        two.synchronize()
        assert last.milliseconds_since(first) > 0
        for item in (first, last, memory, host):
            item.free()


@pytest.mark.parametrize("graphs", [False, True])
def test_three_frames_in_flight(driver: KernelDriver, cubin: bytes, gpu: Gpu, graphs: bool) -> None:
    from support.kernel_engine import kernel_runner

    runner, images, grid = kernel_runner(driver, cubin, graphs), pictures(30), sampling_grid(SIZE, AFTER)
    started = time.perf_counter()
    results, times = zip(
        *((result.frame, result.times) for result in results_of(runner, images, grid)), strict=True
    )
    milliseconds = 1000 * (time.perf_counter() - started) / len(images)
    taken = runner.device_bytes
    runner.close()
    for image, result in zip(images, results, strict=True):
        assert (result == nearest(image)[0]).all()
    print(
        f"\n{gpu.name}, CUDA {gpu.driver_cuda}, graphs {graphs}: {milliseconds:.2f} ms a frame, {taken:,} bytes"
    )
    print(f"on the device, medians: {medians(times)}")


def medians(times: Sequence[PartTimes]) -> str:
    """``upload 0.10 ms, encoder ...`` from the events of many frames."""
    parts = ("upload", "encoder", "decoder", "download")
    return ", ".join(
        f"{part} {np.median([getattr(t, part + '_ms') for t in times]):.2f} ms" for part in parts
    )


def test_one_frame_at_a_time_by_parts(driver: KernelDriver, cubin: bytes, gpu: Gpu) -> None:
    from support.kernel_engine import kernel_runner

    runner, (image,), grid = kernel_runner(driver, cubin, False), pictures(1), sampling_grid(SIZE, AFTER)
    marks = [time.perf_counter()]
    for _ in range(20):
        maps = runner.encode(image)
        marks.append(time.perf_counter())
        assert (runner.decode(maps, image, grid) == nearest(image)).all()
        marks.append(time.perf_counter())
    steps = 1000 * np.diff(marks)
    runner.close()
    encoder, decoder = np.median(steps[0::2]), np.median(steps[1::2])
    print(f"\n{gpu.name}: encode {encoder:.2f} ms, decode {decoder:.2f} ms (medians of 20)")


def test_everything_is_given_back(driver: KernelDriver, cubin: bytes) -> None:
    from support.kernel_engine import kernel_runner

    with driver.entered():
        before = driver.memory()[0]
    for _ in range(3):
        runner = kernel_runner(driver, cubin, True)
        list(results_of(runner, pictures(7), sampling_grid(SIZE, AFTER)))
        runner.close()
    with driver.entered():
        after = driver.memory()[0]
    assert before - after < 16 << 20, "the module and its contexts may stay; buffers may not"


def test_the_kernels_compile_for_every_architecture() -> None:
    pytest.importorskip("cuda.bindings.driver", reason="not run: cuda-bindings is not installed")
    from support.kernel_engine import compile_kernels

    try:
        known = architectures(load_nvrtc())
    except MissingError as error:
        pytest.skip(f"not run: {error}")
    for number in (75, 86, 87, 90, 110, 120, 121):
        image = compile_kernels(f"{number // 10}.{number % 10}")
        assert image.startswith(b"\x7fELF") if number in known else b".target sm_" in image
