"""The ``cuda`` backend on a driver whose GPU is the emulator. ``test_backend.py`` runs this file where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from edge_sr.backends.cuda.runner import CudaRunner
from edge_sr.errors import MemoryLimitError, ShapeError
from edge_sr.plan import Footprint, plan_run
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler

SIZE, AFTER = (50, 38), (121, 77)


def close(result: Any, reference: Any) -> None:
    """As the float16 network is: one level off, in few values."""
    off = np.abs(result.astype(np.float64) - reference) * (1 if reference.dtype == np.uint8 else 255)
    assert result.shape == reference.shape and result.dtype == reference.dtype
    assert off.max() <= 1 and np.mean(off > 0.5) < 0.05


@pytest.fixture(scope="module")
def up() -> Iterator[Upscaler]:
    with Upscaler("diinn-nano", backend="cuda") as upscaler:
        yield upscaler


@pytest.fixture(scope="module")
def cpu() -> Iterator[Upscaler]:
    with Upscaler("diinn-nano", backend="onnxruntime", precision="fp32", threads=1) as upscaler:
        yield upscaler


@pytest.fixture(scope="module")
def picture() -> Any:
    return reference_card(*SIZE)


def runner_of(up: Upscaler) -> CudaRunner:
    runner = up._runner("uint8")
    assert isinstance(runner, CudaRunner)
    return runner


@contextmanager
def short_of_memory(up: Upscaler, left: int) -> Iterator[None]:
    """As if other programs had taken all of the GPU's memory but ``left`` bytes."""
    runner, driver = runner_of(up), runner_of(up)._device.driver
    with driver.entered():
        runner._close_sessions()
        runner._reuse_idle()
        runner._device.gpu.pool.free()
        hog = driver.allocate(driver.memory()[0] - left)
    yield
    with driver.entered():
        hog.free()


def test_it_says_what_it_is(up: Upscaler) -> None:
    assert (up.backend, up.encoder_backend, up.precision) == ("cuda", "cuda", "fp16")


def test_auto_takes_the_gpu() -> None:
    with Upscaler("diinn-nano") as upscaler:
        assert upscaler.backend == "cuda" and "agreed with the CPU" in upscaler.why


@pytest.mark.parametrize("after", [AFTER, (100, 76), (50, 38)])
def test_any_size(up: Upscaler, cpu: Upscaler, picture: Any, after: tuple[int, int]) -> None:
    close(up(picture, size=after), cpu(picture, size=after))


def test_float_pictures(up: Upscaler, cpu: Upscaler, picture: Any) -> None:
    deep = picture[:20].astype(np.float32) / np.float32(255)
    close(up(deep, scale=2), cpu(deep, scale=2))


def test_a_region_is_that_crop_of_the_whole(up: Upscaler, picture: Any) -> None:
    whole, part = up(picture, scale=2), up(picture, scale=2, region=(7, 5, 21, 12))
    assert np.array_equal(part, whole[10:34, 14:56])


def test_encoded_once_and_decoded_often(up: Upscaler, picture: Any) -> None:
    encoded = up.encode(picture)
    for after in (AFTER, (60, 50), AFTER):
        assert np.array_equal(up.decode(encoded, size=after), up(picture, size=after))


def test_frames_in_flight_are_the_same_frames(up: Upscaler, picture: Any) -> None:
    """Six frames, so that every lane runs its captured graphs; each differs from the next."""
    frames = [np.roll(picture[:16], 5 * number, axis=1).copy() for number in range(6)]
    streamed = list(up.stream(iter(frames), size=(100, 32)))
    for frame, result in zip(frames, streamed, strict=True):
        assert result.times.encoder_ms > 0 and result.times.decoder_ms > 0
        assert np.array_equal(result.frame, up(frame, size=(100, 32)))


def test_frames_of_another_size_are_refused(up: Upscaler, picture: Any) -> None:
    plan = plan_run(SIZE, AFTER, None, Footprint(0, 0, 1, None))
    with pytest.raises(ShapeError, match="frames in flight must all be"):
        list(runner_of(up).stream([picture, picture[:20]], plan))


def test_without_room_for_a_frame_it_is_cut_into_strips(up: Upscaler, cpu: Upscaler) -> None:
    tall = reference_card(34, 120)
    whole = up(tall, scale=2)
    with short_of_memory(up, 700_000), pytest.warns(UserWarning, match="strips of"):
        cut = up(tall, scale=2)
        streamed = list(up.stream([tall], size=(68, 240)))
    assert np.array_equal(cut, whole) and np.array_equal(streamed[0].frame, whole)
    runner_of(up)._most_pixels = None
    close(cut, cpu(tall, scale=2))


def test_without_room_for_a_strip_it_says_so(up: Upscaler, picture: Any) -> None:
    with short_of_memory(up, 20_000), pytest.raises(MemoryLimitError, match=r"no room|out of memory"):
        up(picture, scale=3)


def test_memory_is_given_back(picture: Any) -> None:
    with Upscaler("diinn-nano", backend="cuda") as upscaler:
        device = runner_of(upscaler)._device
        before = device.gpu.free_at_start
        for _ in range(3):
            upscaler(picture[:12], scale=2)
            list(upscaler.stream([picture[:12]], size=(100, 24)))
        upscaler(picture[:8], scale=2)
        assert upscaler.device_bytes is not None and upscaler.device_bytes < before
    with Upscaler("diinn-nano", backend="cuda") as upscaler:
        assert runner_of(upscaler)._device.gpu.free_at_start == before
