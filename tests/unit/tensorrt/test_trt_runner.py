"""The TensorRT runner on the checking device: right pictures, nothing unordered, nothing left behind."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.cuda.device import FakeDriver
from support.engine_standin import StandInExecution, results_of, runner_for, streamed

from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.onnxruntime.runner import OnnxRunner
from edge_sr.backends.tensorrt.runner import KEPT_SESSIONS
from edge_sr.backends.tensorrt.tiles import cut
from edge_sr.bundle import Bundle
from edge_sr.errors import DeviceError, EngineError, MemoryLimitError, ShapeError
from edge_sr.grid import SamplingGrid, sampling_grid
from edge_sr.kinds import Precision, SampleType
from edge_sr.tensors import reference_card

# The names in tests/checkpoints.py, spelled out so that collecting these tests does not import torch.
NETWORKS = [
    *(f"mode{mode}{query}" for mode in (1, 2, 3, 4) for query in ("", "-init_q")),
    *("edsr", "base", "base-mode4", "base-init_q", "one-layer"),
]

SIZE, AFTER = (37, 29), (101, 83)


def grid_for(bundle: Bundle, size: tuple[int, int] = SIZE, after: tuple[int, int] = AFTER) -> SamplingGrid:
    return sampling_grid(size, after, halo=1 if bundle.network.decoder.mode == 4 else 0)


def expected(
    bundle: Bundle, image: Any, grid: SamplingGrid, precision: Precision = "fp32", io: SampleType = "uint8"
) -> Any:
    with OnnxRunner(RunnerConfig(bundle, precision, io)) as runner:
        return runner.decode(runner.encode(image), image, grid)


def assert_same_picture(result: Any, reference: Any) -> None:
    """The project's rule for runs that cut the work differently: 1 level in fewer than 1 of 1,000 values."""
    assert result.shape == reference.shape and result.dtype == reference.dtype
    unit = 1 if reference.dtype == np.uint8 else 1 / 255
    difference = np.abs(result.astype(np.float64) - reference.astype(np.float64))
    assert difference.max() <= unit
    assert (difference > unit / 2).mean() < 1e-3


@pytest.fixture
def image() -> Any:
    return reference_card(*SIZE)[None]


@pytest.mark.torch
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in NETWORKS]
)
def test_every_network_gives_the_cpus_picture(
    narrow_bundles: Callable[[str], Any], image: Any, name: str
) -> None:
    _, bundle = narrow_bundles(name)
    for precision in ("fp32", "fp16"):
        driver, grid = FakeDriver(), grid_for(bundle)
        with runner_for(bundle, driver, precision) as runner:
            result = runner.decode(runner.encode(image), image, grid)
        driver.close()
        assert_same_picture(result, expected(bundle, image, grid, precision))


@pytest.mark.parametrize("integrated", [False, True])
@pytest.mark.parametrize("graphs", [False, True])
def test_three_frames_in_flight_come_out_in_order(nano: Bundle, integrated: bool, graphs: bool) -> None:
    driver, grid = FakeDriver(integrated=integrated), grid_for(nano)
    images = [np.roll(reference_card(*SIZE), 3 * number, axis=1)[None] for number in range(8)]
    with runner_for(nano, driver, graphs=graphs) as runner:
        results = list(streamed(runner, iter(images), grid))
    driver.close()
    assert len(results) == len(images)
    for result, image in zip(results, images, strict=True):
        assert_same_picture(result, expected(nano, image, grid))


def test_the_float_pair(nano: Bundle) -> None:
    image = reference_card(*SIZE).astype(np.float32)[None] / 255
    driver, grid = FakeDriver(), grid_for(nano)
    with runner_for(nano, driver, io="float") as runner:
        result = runner.decode(runner.encode(image), image, grid)
    driver.close()
    assert_same_picture(result, expected(nano, image, grid, io="float"))


def test_encode_once_decode_many(nano: Bundle, image: Any) -> None:
    driver = FakeDriver()
    with runner_for(nano, driver) as runner:
        maps = runner.encode(image)
        other = runner.encode(np.ascontiguousarray(image[:, ::-1]))
        for after in ((74, 58), AFTER, (74, 58)):
            grid = grid_for(nano, after=after)
            assert_same_picture(runner.decode(maps, image, grid), expected(nano, image, grid))
        del maps, other
    driver.close()


def test_maps_that_nobody_holds_are_used_again(nano: Bundle, image: Any) -> None:
    driver, grid = FakeDriver(), grid_for(nano)
    with runner_for(nano, driver) as runner:
        runner.decode(runner.encode(image), image, grid)
        gc.collect()
        used = driver.used()
        for _ in range(4):
            runner.decode(runner.encode(image), image, grid)
        assert driver.used() == used
        assert runner.device_bytes == used
    driver.close()


def test_what_others_give_up_is_not_taken_for_less_than_nothing(nano: Bundle, image: Any) -> None:
    driver = FakeDriver()
    with runner_for(nano, driver) as runner:
        runner.decode(runner.encode(image), image, grid_for(nano))
        driver.memory_limit += 2 * driver.used()
        assert runner.device_bytes == 0
    driver.close()


def test_a_film_allocates_before_its_fourth_frame_and_never_again(nano: Bundle) -> None:
    driver, grid = FakeDriver(), grid_for(nano)
    image = reference_card(*SIZE)[None]
    with runner_for(nano, driver) as runner:
        counts = [driver.allocations for _ in streamed(runner, (image for _ in range(9)), grid)]
    assert counts == [counts[0]] * 9
    driver.close()


def test_a_small_device_gets_smaller_tiles_and_says_so_once(nano: Bundle, image: Any) -> None:
    driver, grid = FakeDriver(), grid_for(nano, after=(120, 96))
    with runner_for(nano, driver, tile=(128, 128)) as runner:
        maps = runner.encode(image)
        driver.memory_limit = driver.used() + 110_000
        with pytest.warns(UserWarning, match="short of memory"):
            result = runner.decode(maps, image, grid)
        del maps
    driver.close()
    assert_same_picture(result, expected(nano, image, grid))


def test_a_device_without_room_for_one_tile_says_what_to_do(nano: Bundle, image: Any) -> None:
    driver = FakeDriver()
    with runner_for(nano, driver) as runner:
        maps = runner.encode(image)
        driver.memory_limit = driver.used() + 100
        with pytest.raises(MemoryLimitError, match="no room for one tile"):
            runner.decode(maps, image, grid_for(nano))
        del maps
    driver.close()


@pytest.mark.parametrize("after", range(0, 60, 7))
def test_a_device_that_is_lost_ends_in_one_error(nano: Bundle, image: Any, after: int) -> None:
    driver = FakeDriver(fail_after=after)
    runner = runner_for(nano, driver)
    with pytest.raises(DeviceError, match="--resume"):
        for _ in streamed(runner, (image for _ in range(30)), grid_for(nano)):
            pass


@pytest.mark.parametrize("integrated", [False, True])
@pytest.mark.parametrize("graphs", [False, True])
def test_every_frame_in_flight_is_measured_by_parts(nano: Bundle, integrated: bool, graphs: bool) -> None:
    driver, images = FakeDriver(integrated=integrated), [reference_card(*SIZE)[None]] * 8
    with runner_for(nano, driver, graphs=graphs) as runner:
        times = [result.times for result in results_of(runner, iter(images), grid_for(nano))]
    driver.close()
    assert len(times) == len(images)
    for parts in times:
        assert min(parts.encoder_ms, parts.decoder_ms, parts.download_ms) > 0
        assert parts.upload_ms > 0


def test_maps_that_somebody_holds_are_left_alone_by_frames_in_flight(nano: Bundle, image: Any) -> None:
    driver, grid, other = FakeDriver(), grid_for(nano), np.ascontiguousarray(image[:, ::-1])
    with runner_for(nano, driver) as runner:
        for _ in range(2):
            list(streamed(runner, [other] * 9, grid))
            held = runner.encode(image)
            # Graphs captured above would write where the maps now lie, had they not been captured anew.
            list(streamed(runner, [other] * 9, grid))
            assert_same_picture(runner.decode(held, image, grid), expected(nano, image, grid))
        del held
    driver.close()


@pytest.mark.parametrize("taken", range(1, 9))
def test_frames_given_up_do_not_disturb_the_next_ones(nano: Bundle, image: Any, taken: int) -> None:
    driver, grid, other = FakeDriver(), grid_for(nano), np.ascontiguousarray(image[:, ::-1])
    with runner_for(nano, driver) as runner:
        given_up = streamed(runner, [image] * 9, grid)
        for _ in range(taken):
            next(given_up)
        given_up.close()
        results = list(streamed(runner, [other] * 4, grid))
        given_up = streamed(runner, [image] * 9, grid)
        next(given_up)
        given_up.close()
        alone = runner.decode(runner.encode(image), image, grid)
    driver.close()
    assert_same_picture(results[-1], expected(nano, other, grid))
    assert_same_picture(alone, expected(nano, image, grid))


def test_a_small_device_has_fewer_frames_in_flight_and_says_so(nano: Bundle) -> None:
    driver, grid = FakeDriver(pinned_limit=45_000), grid_for(nano)
    images = [np.roll(reference_card(*SIZE), number, axis=1)[None] for number in range(7)]
    with runner_for(nano, driver) as runner, pytest.warns(UserWarning, match="1 instead of 3 frames"):
        results = list(streamed(runner, iter(images), grid))
    driver.close()
    for result, image in zip(results, images, strict=True):
        assert_same_picture(result, expected(nano, image, grid))


def test_a_small_device_gets_smaller_tiles_for_frames_in_flight(nano: Bundle, image: Any) -> None:
    driver, grid = FakeDriver(memory_limit=1_000_000), grid_for(nano, after=(120, 96))
    with runner_for(nano, driver, tile=(128, 128)) as runner, pytest.warns(UserWarning, match="tiles of"):
        results = list(streamed(runner, [image] * 5, grid))
    driver.close()
    assert_same_picture(results[-1], expected(nano, image, grid))


def test_a_film_given_up_halfway_leaves_nothing(nano: Bundle, image: Any) -> None:
    driver = FakeDriver()
    with runner_for(nano, driver) as runner:
        frames = streamed(runner, (image for _ in range(9)), grid_for(nano))
        next(frames)
        frames.close()
    driver.close()


def test_a_film_that_changes_its_size_is_refused_and_leaves_nothing(nano: Bundle, image: Any) -> None:
    driver = FakeDriver()
    with runner_for(nano, driver) as runner, pytest.raises(ShapeError, match="frames in flight"):
        list(streamed(runner, [image, image[:, :-2]], grid_for(nano)))
    driver.close()


def test_a_size_that_no_engine_covers_is_refused(nano: Bundle) -> None:
    with runner_for(nano, FakeDriver()) as runner, pytest.raises(EngineError, match="was not built for"):
        runner.encode(reference_card(80, 80)[None])


@pytest.mark.parametrize("length", range(1, 40))
@pytest.mark.parametrize("largest", [1, 2, 3, 7, 16, 64])
def test_tiles_cover_everything_and_none_is_too_large(length: int, largest: int) -> None:
    tiles = cut(length, 5, largest, 5)
    covered = {row for top in tiles.tops for row in range(top, top + tiles.height)}
    assert covered == set(range(length))
    assert tiles.height <= largest and len(set(tiles.tops)) == len(tiles.tops)


def test_small_frames_in_an_engine_of_one_tile_size(nano: Bundle, image: Any) -> None:
    """TensorRT 10.3 is given static tiles: frames are cut into just these, and one may be smaller than a tile."""
    for after in (AFTER, (60, 40), (200, 30), (130, 90)):
        driver, grid = FakeDriver(), grid_for(nano, after=after)
        with runner_for(nano, driver, static_tiles=True, tile=(64, 48)) as runner:
            results = list(streamed(runner, [image] * 4, grid))
            assert runner.tile_of(image.shape, grid) == (48, 64)
        driver.close()
        for result in results:
            assert_same_picture(result, expected(nano, image, grid))


def test_a_capture_that_is_refused_leaves_the_stream_free_and_gives_the_film(
    nano: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue = StandInExecution.enqueue

    def refusing(self: StandInExecution, stream_handle: int) -> None:
        if self.driver.capture is not None:
            raise DeviceError("operation not permitted when stream is capturing")
        enqueue(self, stream_handle)

    monkeypatch.setattr(StandInExecution, "enqueue", refusing)
    driver, grid = FakeDriver(), grid_for(nano)
    images = [np.roll(reference_card(*SIZE), number, axis=1)[None] for number in range(9)]
    with runner_for(nano, driver) as runner, pytest.warns(UserWarning, match="no CUDA graphs here") as said:
        results = list(streamed(runner, images, grid))
        again = list(streamed(runner, images, grid))
    assert driver.capture is None and len(said) == 1
    driver.close()
    for result, image in zip(results + again, images + images, strict=True):
        assert_same_picture(result, expected(nano, image, grid))


def test_a_capture_that_ends_in_an_error_gives_the_film_too(
    nano: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = FakeDriver.end_capture

    def invalidated(self: FakeDriver, stream: Any) -> Any:
        end(self, stream).free()
        raise DeviceError("cuStreamEndCapture answers CUDA_ERROR_STREAM_CAPTURE_INVALIDATED")

    monkeypatch.setattr(FakeDriver, "end_capture", invalidated)
    driver, grid, image = FakeDriver(), grid_for(nano), reference_card(*SIZE)[None]
    with runner_for(nano, driver) as runner, pytest.warns(UserWarning, match="INVALIDATED"):
        results = list(streamed(runner, [image] * 9, grid))
    driver.close()
    assert_same_picture(results[-1], expected(nano, image, grid))


def test_a_live_zoom_makes_no_context_and_soon_no_memory(nano: Bundle, image: Any) -> None:
    """Every new grid shares the engines' one context, and the memory that earlier grids left."""
    driver = FakeDriver()
    sizes = [(80 + step % 7, 60 + step % 5) for step in range(40)]
    with runner_for(nano, driver) as runner:
        maps, counts = runner.encode(image), []
        for after in sizes:
            grid = grid_for(nano, after=after)
            assert_same_picture(runner.decode(maps, image, grid), expected(nano, image, grid))
            counts.append(driver.allocations)
        assert len(runner._sessions) <= KEPT_SESSIONS
        # Five buffers a grid, were none left by others.
        assert counts[-1] - counts[KEPT_SESSIONS] <= 10
        del maps
    driver.close()


def test_sizes_that_take_turns_find_their_sessions_again(nano: Bundle, image: Any) -> None:
    driver, grids = FakeDriver(), [grid_for(nano, after=after) for after in ((74, 58), AFTER)]
    with runner_for(nano, driver) as runner:
        for _ in range(3):
            for grid in grids:
                results = list(streamed(runner, [image] * 5, grid))
                assert_same_picture(results[-1], expected(nano, image, grid))
        assert len(runner._sessions) == 2
    driver.close()


def test_pointers_change_no_more_than_frames_and_tiles_ask_for(nano: Bundle, image: Any) -> None:
    """Counted by enqueue: the maps and the picture stay, so only what differs from tile to tile is set again."""
    driver, grid = FakeDriver(), grid_for(nano)
    with runner_for(nano, driver, graphs=False) as runner:
        list(streamed(runner, [image] * 12, grid))
        decoder = runner._find("decoder", {"maps": (1, 1, 29, 37)}).execution
        assert isinstance(decoder, StandInExecution)
        # rows and offset_y by the tile's row, cols and offset_x by its column, frame by tile, image by slot.
        assert decoder.enqueued > 12 and decoder.pointer_changes / decoder.enqueued <= 6
    driver.close()


def test_graphs_captured_in_other_shapes_are_not_launched(nano: Bundle, image: Any) -> None:
    """Between two parts of a film another size goes through the same context."""
    driver, one, other = FakeDriver(), grid_for(nano), grid_for(nano, after=(60, 40))
    with runner_for(nano, driver) as runner:
        for grid in (one, one, other, one, other, other):
            results = list(streamed(runner, [image] * 7, grid))
            assert_same_picture(results[-1], expected(nano, image, grid))
    driver.close()
