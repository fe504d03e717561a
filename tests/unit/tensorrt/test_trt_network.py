"""Networks of one graph on the checking device: right pictures from any windows, nothing left behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cuda.device import FakeDriver
from support.engine_standin import keys_for, network_for
from support.tiny_bundle import write_network

from edge_sr.backends.base import DeviceNetwork, RunnerConfig
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.tensorrt.network import TensorRTNetwork
from edge_sr.backends.tensorrt.windows import LEAST_REACHES, smaller, spans, window_of
from edge_sr.bundle import Bundle
from edge_sr.errors import DeviceError, MemoryLimitError, MissingError, ShapeError
from edge_sr.tensors import reference_card

pytestmark = pytest.mark.filterwarnings("ignore:pictures of .* in .* windows")

SIZE = (37, 29)
IMAGE = reference_card(*SIZE)[None]
# Four windows over the picture.
WINDOWS = {"sizes": ((24, 20),)}


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_network(tmp_path_factory.mktemp("networks"), "fixed", 2)


def on_cpu(bundle: Bundle, image: Any) -> Any:
    return OnnxEncoder(RunnerConfig(bundle, "fp32"), "network").encode(image)


def assert_right(bundle: Bundle, results: list[Any], images: list[Any]) -> None:
    for result, image in zip(results, images, strict=True):
        assert np.abs(result.astype(int) - on_cpu(bundle, image)).max() <= 1


def streamed(network: TensorRTNetwork, images: Iterable[Any]) -> Generator[Any, None, None]:
    for result in network.stream(image[0] for image in images):
        yield result.frame[None]


def rolled(count: int) -> list[Any]:
    return [np.roll(IMAGE, 3 * step, axis=2) for step in range(count)]


@pytest.mark.parametrize("reach", [0, 1, 3, 7])
@pytest.mark.parametrize("length", range(1, 90, 4))
def test_cores_cover_an_axis_once_and_windows_hold_all_that_they_read(length: int, reach: int) -> None:
    for window in [length, *range(max(1, LEAST_REACHES * reach), length)]:
        found = list(spans(length, window, reach))
        covered = [pixel for span in found for pixel in range(span.low, span.high)]
        assert covered == list(range(length))
        for span in found:
            assert span.start >= 0 and span.start + window <= length
            assert span.start == 0 or span.low - span.start >= reach
            assert span.start + window == length or span.start + window - span.high >= reach


def test_a_window_is_the_whole_picture_or_else_the_most_that_was_built_for(fixed: Bundle) -> None:
    (ranged,) = keys_for(fixed, max_size=(64, 32))
    (two,) = keys_for(fixed, sizes=((40, 30), (20, 16)))
    assert window_of(ranged, (1, 20, 50, 3), 2) == (1, 20, 50, 3)
    assert window_of(ranged, (1, 200, 50, 3), 2) == (1, 32, 50, 3)
    assert window_of(two, (1, 30, 40, 3), 2) == (1, 30, 40, 3)
    assert window_of(two, (1, 29, 40, 3), 2) == (1, 16, 20, 3)
    assert window_of(two, (1, 15, 40, 3), 2) is None


def test_a_network_that_reads_too_far_for_a_window_has_none(fixed: Bundle) -> None:
    (key,) = keys_for(fixed, sizes=((40, 30),))
    assert window_of(key, (1, 60, 40, 3), 7) == (1, 30, 40, 3)
    assert window_of(key, (1, 60, 40, 3), 8) is None
    assert window_of(key, (1, 60, 40, 3), None) is None
    assert window_of(key, (1, 30, 40, 3), None) == (1, 30, 40, 3)
    assert smaller((1, 30, 40, 3), 5) == (1, 30, 20, 3)
    assert smaller((1, 30, 40, 3), 6) is None
    assert smaller((1, 30, 40, 3), None) is None


def test_less_than_it_reads_around_a_core_would_show(fixed: Bundle) -> None:
    driver = FakeDriver()
    network = network_for(fixed, driver, **WINDOWS)
    assert isinstance(network, DeviceNetwork)
    network._reach = 1
    result = network.encode(IMAGE)
    network.close()
    assert np.abs(result.astype(int) - on_cpu(fixed, IMAGE)).max() > 1


@pytest.mark.parametrize("integrated", [False, True])
@pytest.mark.parametrize("sizes", [{"max_size": (64, 64)}, WINDOWS], ids=["whole", "windows"])
def test_pictures_in_flight_come_out_in_order_and_measured(
    fixed: Bundle, integrated: bool, sizes: dict[str, Any]
) -> None:
    driver, images = FakeDriver(integrated=integrated), rolled(8)
    network = network_for(fixed, driver, **sizes)
    results, times = [], []
    for result in network.stream(image[0] for image in images):
        results.append(result.frame[None])
        times.append(result.times)
    assert network.device_bytes > 0
    network.close()
    driver.close()
    assert_right(fixed, results, images)
    for parts in times:
        assert parts.encoder_ms > 0 and parts.download_ms > 0
        assert parts.upload_ms > 0


def test_a_film_allocates_before_its_first_frame_and_never_again(fixed: Bundle) -> None:
    driver = FakeDriver()
    network = network_for(fixed, driver, **WINDOWS)
    counts = [driver.allocations for _ in streamed(network, rolled(9))]
    network.encode(IMAGE)
    assert counts == [driver.allocations] * 9
    network.close()
    driver.close()


def test_sizes_take_turns(fixed: Bundle) -> None:
    driver, tall = FakeDriver(), np.ascontiguousarray(IMAGE.transpose(0, 2, 1, 3))
    network, images = network_for(fixed, driver, max_size=(32, 32)), [IMAGE, tall, IMAGE, IMAGE[:, :20]]
    results = [network.encode(image) for image in images]
    network.close()
    driver.close()
    assert_right(fixed, results, images)


@pytest.mark.parametrize("taken", range(1, 9))
def test_pictures_given_up_do_not_disturb_the_next_ones(fixed: Bundle, taken: int) -> None:
    driver = FakeDriver()
    network = network_for(fixed, driver, **WINDOWS)
    given_up = streamed(network, [IMAGE[:, ::-1]] * 9)
    for _ in range(taken):
        next(given_up)
    given_up.close()
    results = [*streamed(network, rolled(4)), network.encode(IMAGE)]
    network.close()
    driver.close()
    assert_right(fixed, results, [*rolled(4), IMAGE])


def test_a_film_that_changes_its_size_is_refused_and_leaves_nothing(fixed: Bundle) -> None:
    driver = FakeDriver()
    network = network_for(fixed, driver, **WINDOWS)
    with pytest.raises(ShapeError, match="frames in flight"):
        list(streamed(network, [IMAGE, IMAGE[:, :-2]]))
    network.close()
    driver.close()


def test_a_small_device_gets_smaller_windows_and_says_so(fixed: Bundle) -> None:
    driver = FakeDriver(memory_limit=160_000)
    network = network_for(fixed, driver, max_size=(64, 64))
    with pytest.warns(UserWarning, match=r"short of memory: windows of 18x29"):
        results = list(streamed(network, rolled(3)))
    network.close()
    driver.close()
    assert_right(fixed, results, rolled(3))


def test_a_device_without_room_for_an_engine_of_one_size_says_so_and_keeps_nothing(fixed: Bundle) -> None:
    driver = FakeDriver(memory_limit=10_000)
    network = network_for(fixed, driver, **WINDOWS)
    with pytest.raises(MemoryLimitError, match="no room"):
        network.encode(IMAGE)
    network.close()
    driver.close()


def test_a_small_device_has_fewer_windows_in_flight_and_says_so(fixed: Bundle) -> None:
    driver = FakeDriver(pinned_limit=10_000)
    network = network_for(fixed, driver, **WINDOWS)
    with pytest.warns(UserWarning, match="1 instead of 3 frames"):
        results = list(streamed(network, rolled(4)))
    network.close()
    driver.close()
    assert_right(fixed, results, rolled(4))


@pytest.mark.parametrize("after", range(0, 60, 7))
def test_a_device_that_is_lost_ends_in_one_error(fixed: Bundle, after: int) -> None:
    network: TensorRTNetwork = network_for(fixed, FakeDriver(fail_after=after), **WINDOWS)
    with pytest.raises(DeviceError, match="--resume"):
        list(streamed(network, [IMAGE] * 30))


def test_a_network_that_takes_whole_frames_is_never_cut(tmp_path: Path) -> None:
    bundle, driver = write_network(tmp_path, "fixed", 2, whole=True), FakeDriver()
    network = network_for(bundle, driver, max_size=(40, 40))
    assert_right(bundle, [network.encode(IMAGE)], [IMAGE])
    with pytest.raises(MissingError):
        network.encode(reference_card(50, 30)[None])
    network.close()
    driver.close()
    small = network_for(bundle, dataclasses.replace(driver, memory_limit=60_000), max_size=(40, 40))
    with pytest.raises(MemoryLimitError):
        small.encode(IMAGE)
