"""The TensorRT runner on a device with little memory, and with pictures that have no end of sizes."""

from __future__ import annotations

import dataclasses
import functools
import gc
import warnings
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cuda.device import FakeDriver
from support.engine_standin import (
    StandInExecution,
    StoredEngines,
    brighten,
    results_of,
    runner_for,
    streamed,
)

from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.onnxruntime.runner import OnnxRunner
from edge_sr.backends.tensorrt.memory import KEPT_MAPS
from edge_sr.backends.tensorrt.runner import KEPT_SESSIONS
from edge_sr.backends.tensorrt.verification.pair import VerifiedRunner
from edge_sr.bundle import Bundle, open_bundle
from edge_sr.engines.store.store import EngineStore
from edge_sr.errors import EngineError, MemoryLimitError, OutputFolderError
from edge_sr.grid import SamplingGrid, sampling_grid
from edge_sr.tensors import reference_card

SIZE, AFTER = (37, 29), (200, 96)
# An engine's largest tile, and the most pixels that it has memory for.
TILE, MOST = (192, 64), 3000
GRID = sampling_grid(SIZE, AFTER)
PICTURES = [np.roll(reference_card(*SIZE), 3 * number, axis=1)[None] for number in range(4)]


@functools.cache
def on_cpu(number: int) -> Any:
    with OnnxRunner(RunnerConfig(open_bundle("diinn-nano"), "fp32", "uint8")) as runner:
        return runner.decode(runner.encode(PICTURES[number]), PICTURES[number], GRID)


def assert_near(result: Any, reference: Any) -> None:
    difference = np.abs(result.astype(int) - reference)
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3


def tile_pixels(execution: StandInExecution) -> int:
    """0 for an encoder."""
    return execution.shapes["rows"][0] * execution.shapes["cols"][0] if "rows" in execution.shapes else 0


def too_little_for(monkeypatch: pytest.MonkeyPatch, pixels: int, after: int = 0) -> None:
    """From the tile number ``after`` on TensorRT has no memory of its own to compute larger tiles in."""
    enqueue, seen = StandInExecution.enqueue, list[int]()

    def short(self: StandInExecution, stream_handle: int) -> None:
        if tile_pixels(self):
            seen.append(1)
        if tile_pixels(self) > pixels and len(seen) > after:
            raise MemoryLimitError("the GPU is out of memory for decoder: OutOfMemory (Requested 9 bytes.)")
        enqueue(self, stream_handle)

    monkeypatch.setattr(StandInExecution, "enqueue", short)


@pytest.fixture
def engines(nano: Bundle, tmp_path: Path) -> StoredEngines:
    config = RunnerConfig(nano, "fp32")
    return StoredEngines(config, EngineStore(tmp_path / "engines"), {"max_size": (64, 64)})


@pytest.mark.parametrize("graphs, after", [(False, 0), (True, 6)])
def test_too_little_memory_to_compute_in_gives_the_film_in_smaller_tiles(
    nano: Bundle, monkeypatch: pytest.MonkeyPatch, graphs: bool, after: int
) -> None:
    """Also in the midst of a film: frames under way are kept, and none is lost or comes twice."""
    too_little_for(monkeypatch, MOST, after)
    driver = FakeDriver()
    with runner_for(nano, driver, graphs=graphs, tile=TILE) as runner:
        with pytest.warns(UserWarning, match=r"short of memory: tiles of \d+ x \d+ from here on"):
            results = list(streamed(runner, iter(PICTURES), GRID))
        height, width = runner.tile_of(PICTURES[0].shape, GRID)
        assert height * width <= MOST
    driver.close()
    assert len(results) == len(PICTURES)
    for number, result in enumerate(results):
        assert_near(result, on_cpu(number))


def test_too_little_memory_for_one_picture(nano: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    too_little_for(monkeypatch, MOST)
    driver = FakeDriver()
    with runner_for(nano, driver, tile=TILE) as runner, pytest.warns(UserWarning, match="short of memory"):
        result = runner.decode(runner.encode(PICTURES[0]), PICTURES[0], GRID)
    driver.close()
    assert_near(result, on_cpu(0))


def test_a_tile_that_cannot_be_smaller_is_the_end(nano: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    too_little_for(monkeypatch, 10)
    warnings.simplefilter("ignore")
    for options in ({"tile": TILE}, {"tile": TILE, "static_tiles": True}):
        driver = FakeDriver()
        with (
            runner_for(nano, driver, **options) as runner,
            pytest.raises(MemoryLimitError, match="no room for one tile"),
        ):
            list(streamed(runner, iter(PICTURES), GRID))
        driver.close()


def test_tiles_that_grew_smaller_in_a_film_are_verified(
    engines: StoredEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings.simplefilter("ignore")
    too_little_for(monkeypatch, MOST, after=10)
    brighten(monkeypatch, lambda execution: 0 < tile_pixels(execution) <= MOST)
    inner = runner_for(engines.config.bundle, FakeDriver(), tile=TILE)
    results = []
    with (
        VerifiedRunner(inner, engines, FakeDriver()) as runner,
        pytest.warns(UserWarning, match="short of memory"),
        pytest.raises(EngineError, match="wrong pictures"),
    ):
        for result in results_of(runner, PICTURES, GRID):
            results.append(result.frame)
    for number, frame in enumerate(results):
        assert_near(frame[None], on_cpu(number))


@pytest.mark.parametrize("after", [0, 10])
def test_what_is_verified_are_the_tiles_in_use(
    engines: StoredEngines, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Memory grows short when they are tried, or later."""
    too_little_for(monkeypatch, MOST, after)
    inner = runner_for(engines.config.bundle, FakeDriver(), tile=TILE)
    with VerifiedRunner(inner, engines, FakeDriver()) as runner, pytest.warns(UserWarning):
        assert len(list(results_of(runner, PICTURES, GRID))) == len(PICTURES)
        height, width = inner.tile_of(PICTURES[0].shape, GRID)
    proof = engines.used["decoder"].manifest.proof
    assert proof is not None and proof.shapes[-1] == f"37x29 in tiles of {width}x{height}"
    assert len(proof.shapes) == (2 if after else 1)


def test_a_store_that_cannot_be_written_to_is_of_use(
    engines: StoredEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OutputFolderError("/engines cannot be written to: Read-only file system")

    monkeypatch.setattr(EngineStore, "keep_proof", refuse)
    for wrong in (False, True):
        with monkeypatch.context() as changed:
            if wrong:
                brighten(changed, lambda execution: tile_pixels(execution) > 0)
            fresh = dataclasses.replace(engines, used={})
            inner = runner_for(engines.config.bundle, FakeDriver(), tile=TILE)
            with (
                VerifiedRunner(inner, fresh, FakeDriver()) as runner,
                pytest.warns(UserWarning, match="not kept"),
            ):
                if wrong:
                    with pytest.raises(EngineError, match="wrong pictures"):
                        list(results_of(runner, PICTURES, GRID))
                else:
                    assert len(list(results_of(runner, PICTURES, GRID))) == len(PICTURES)


def test_engines_read_no_page_locked_memory(nano: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where host and GPU share memory too: an Orin's GPU reads it uncached, and every tile reads the picture."""
    driver, bound = FakeDriver(integrated=True), set[tuple[str, bool]]()
    bind = StandInExecution.bind

    def noted(self: StandInExecution, name: str, address: int) -> None:
        bound.add((name, driver.find(address, 1)[0].host))
        bind(self, name, address)

    monkeypatch.setattr(StandInExecution, "bind", noted)
    with runner_for(nano, driver) as runner:
        list(streamed(runner, iter(PICTURES), GRID))
        runner.decode(runner.encode(PICTURES[0]), PICTURES[0], GRID)
    driver.close()
    assert {"image", "maps", "rows", "frame"} <= {name for name, _ in bound}
    assert not any(on_host for _, on_host in bound)


def test_a_live_zoom_leaves_no_grids_behind(engines: StoredEngines) -> None:
    seen = list[weakref.ref[SamplingGrid]]()
    inner = runner_for(engines.config.bundle, FakeDriver(), tile=TILE)
    with VerifiedRunner(inner, engines, FakeDriver()) as runner:
        maps = runner.encode(PICTURES[0])
        for step in range(3 * KEPT_SESSIONS):
            grid = sampling_grid(SIZE, (80 + step, 60 + step))
            seen.append(weakref.ref(grid))
            runner.decode(maps, PICTURES[0], grid)
        del grid
        gc.collect()
        assert sum(grid() is not None for grid in seen) <= KEPT_SESSIONS


def test_parts_of_many_sizes_keep_no_memory(nano: Bundle) -> None:
    """As the moving parts of a live picture."""
    driver = FakeDriver()
    with runner_for(nano, driver) as runner:
        for width in range(16, 16 + 3 * KEPT_MAPS):
            runner.encode(reference_card(width, 30)[None])
            gc.collect()
        on_device = [buffer for buffer in driver.buffers if not buffer.host]
        assert len(on_device) <= KEPT_MAPS + 1, "one more is scratch"
    driver.close()


def test_maps_that_wait_make_room_for_others(nano: Bundle) -> None:
    driver = FakeDriver()
    with runner_for(nano, driver) as runner:
        for width in (40, 48, 56):
            runner.encode(reference_card(width, 30)[None])
            gc.collect()
        driver.memory_limit = driver.used() + 1000
        maps = runner.encode(reference_card(52, 30)[None])
        del maps
    driver.close()
