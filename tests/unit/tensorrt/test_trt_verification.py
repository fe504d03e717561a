"""Engines show on their first run, in the very shapes of the film, that they compute the right picture."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cuda.device import FakeDriver
from support.engine_standin import StandInExecution, StoredEngines, brighten, results_of, runner_for

from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.tensorrt.verification.pair import VerifiedRunner
from edge_sr.backends.tensorrt.verification.verified import MOST_SHAPES, difference, required_db
from edge_sr.bundle import Bundle
from edge_sr.engines.store.identity import Proof
from edge_sr.engines.store.store import EngineStore
from edge_sr.errors import EngineError
from edge_sr.grid import sampling_grid
from edge_sr.tensors import reference_card

IMAGE = reference_card(40, 30)[None]
GRID = sampling_grid((40, 30), (80, 60))
SIZES = {"max_size": (64, 64)}


@pytest.fixture
def engines(nano: Bundle, tmp_path: Path) -> StoredEngines:
    return StoredEngines(RunnerConfig(nano, "fp32"), EngineStore(tmp_path / "engines"), SIZES)


def verified(engines: StoredEngines, driver: FakeDriver | None = None) -> VerifiedRunner:
    driver = driver or FakeDriver()
    return VerifiedRunner(runner_for(engines.config.bundle, driver), engines, driver)


def again(engines: StoredEngines, **changes: Any) -> StoredEngines:
    return dataclasses.replace(engines, used={}, **changes)


def proofs(engines: StoredEngines) -> list[Proof]:
    found = [file.manifest.proof for file in engines.used.values()]
    return [proof for proof in found if proof is not None]


def any_frame(execution: StandInExecution) -> bool:
    return "frame" in execution.bound


def test_right_engines_are_verified_once_and_remembered(
    engines: StoredEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    with verified(engines) as runner:
        assert isinstance(runner, VerifiedRunner)
        frame = runner.decode(runner.encode(IMAGE), IMAGE, GRID)
    assert frame.shape == (1, 60, 80, 3)
    assert len(proofs(engines)) == 2
    for proof in proofs(engines):
        assert proof.passed and proof.psnr_db > 50 and proof.device == "a GPU"
    monkeypatch.setattr(VerifiedRunner, "_try_engines", lambda *_: pytest.fail("verified again"))
    with verified(again(engines)) as runner:
        assert isinstance(runner, VerifiedRunner)
        list(results_of(runner, [IMAGE], GRID))


def test_wrong_engines_are_refused_now_and_later(
    engines: StoredEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as bad:
        brighten(bad, any_frame)
        with verified(engines) as runner, pytest.raises(EngineError, match=r"wrong pictures.*onnxruntime"):
            assert isinstance(runner, VerifiedRunner)
            list(results_of(runner, [IMAGE], GRID))
    with verified(again(engines)) as runner, pytest.raises(EngineError, match="dB from ONNX Runtime on a"):
        assert isinstance(runner, VerifiedRunner)
        runner.encode(IMAGE)
    for file in engines.used.values():
        assert engines.store.find(file.manifest.key) is None, "what was seen to be wrong is built again"


def test_an_engine_that_is_wrong_in_the_films_own_tiles_alone_is_found(
    engines: StoredEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NVIDIA/TensorRT #4330: right in small shapes, wrong in the film's, from one dynamic profile."""
    small, large = sampling_grid((40, 30), (48, 36)), sampling_grid((40, 30), (288, 192))
    used: list[tuple[int, ...]] = []

    def wrong_when_large(execution: StandInExecution) -> bool:
        if "rows" in execution.shapes:
            used.append((execution.shapes["rows"][0], execution.shapes["cols"][0]))
        return any_frame(execution) and execution.shapes["cols"][0] > 90

    brighten(monkeypatch, wrong_when_large)
    with verified(engines) as runner:
        assert isinstance(runner, VerifiedRunner)
        assert len(list(results_of(runner, [IMAGE], small))) == 1
        with pytest.raises(EngineError, match="wrong pictures"):
            list(results_of(runner, [IMAGE], large))
        tile = runner._inner.tile_of(IMAGE.shape, large)
    assert used[-1] == tile == (32, 96), "the verified shape is the one that the film is cut into"
    assert proofs(engines)[0].shapes == ("40x30 in tiles of 48x18", "40x30 in tiles of 96x32")


def test_the_last_tile_is_compared_too(engines: StoredEngines, monkeypatch: pytest.MonkeyPatch) -> None:
    grid, seen = sampling_grid((40, 30), (288, 192)), list[int]()

    def only_the_last(execution: StandInExecution) -> bool:
        if any_frame(execution):
            seen.append(1)
        return any_frame(execution) and len(seen) % 18 == 0

    brighten(monkeypatch, only_the_last)
    with verified(engines) as runner, pytest.raises(EngineError, match="wrong pictures"):
        assert isinstance(runner, VerifiedRunner)
        list(results_of(runner, [IMAGE], grid))


def test_frames_in_flight_are_verified_and_measured(engines: StoredEngines) -> None:
    with verified(engines) as runner:
        assert isinstance(runner, VerifiedRunner)
        results = list(results_of(runner, [IMAGE] * 5, GRID))
        assert len(results) == 5
        assert results[-1].times.encoder_ms > 0 and runner.device_bytes > 0
    assert len(proofs(engines)) == 2


def test_another_driver_asks_for_a_new_run(engines: StoredEngines) -> None:
    for driver in ("13.0", "13.1"):
        engines = again(engines, gpu=dataclasses.replace(engines.gpu, driver_cuda=driver))
        with verified(engines) as runner:
            assert isinstance(runner, VerifiedRunner)
            list(results_of(runner, [IMAGE], GRID))
        assert {proof.driver for proof in proofs(engines)} == {driver}


def test_a_live_pictures_shapes_are_not_verified_without_end(
    engines: StoredEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    with verified(engines) as runner:
        assert isinstance(runner, VerifiedRunner)
        list(results_of(runner, [IMAGE], GRID))
    for file in engines.used.values():
        proof = file.manifest.proof
        assert proof is not None
        many = dataclasses.replace(proof, shapes=tuple(map(str, range(MOST_SHAPES))))
        engines.store.keep_proof(file, many)
    monkeypatch.setattr(VerifiedRunner, "_try_engines", lambda *_: pytest.fail("verified again"))
    with verified(again(engines)) as runner:
        assert isinstance(runner, VerifiedRunner)
        list(results_of(runner, [IMAGE], sampling_grid((40, 30), (100, 77))))


def test_int8_is_held_to_what_its_bundle_states(nano: Bundle) -> None:
    graph = nano.find("decoder", "fp16")
    assert graph is not None
    int8 = dataclasses.replace(graph, precision="int8", psnr_db=42.0)
    others = [one for one in nano.description.graphs if one.precision != "int8"]
    described = dataclasses.replace(nano.description, graphs=(*others, int8))
    bundle = Bundle(nano.path, described)
    assert required_db(RunnerConfig(bundle, "int8", scheme="int8")) == 41.5
    assert required_db(RunnerConfig(bundle, "fp16")) == 50.0


def test_a_picture_of_nan_is_as_wrong_as_can_be() -> None:
    broken: Any = np.full((1, 4, 4, 3), np.nan, np.float32)
    assert difference(broken, np.zeros((1, 4, 4, 3), np.float32)) == (0.0, 255)
