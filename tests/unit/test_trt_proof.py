"""An engine shows on its first run that it computes the right picture, or it is refused."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cuda.device import FakeDriver
from support.engine_standin import StandInExecution, keys_for, runner_for

from edge_sr.backends.base import FlightRunner
from edge_sr.backends.tensorrt.proof.pair import ProvenRunner, difference, required_db
from edge_sr.bundle import Bundle
from edge_sr.engines.store.cache import SCHEMA, EngineCache
from edge_sr.engines.store.cache import Engine as EngineFile
from edge_sr.engines.store.identity import EngineManifest
from edge_sr.errors import EngineError
from edge_sr.grid import sampling_grid
from edge_sr.machine.gpu import Gpu
from edge_sr.tensors import reference_card

GPU = Gpu("a GPU", "8.9", 8192, False, "13.0")
IMAGE = reference_card(40, 30)[None]
GRID = sampling_grid((40, 30), (80, 60))


@dataclasses.dataclass
class Shelf:
    """Engines of the stand-in, with their manifests in a real cache."""

    bundle: Bundle
    cache: EngineCache
    precision: str = "fp32"
    io: str = "uint8"
    gpu: Gpu = GPU
    used: dict[str, EngineFile] = dataclasses.field(default_factory=dict)
    tries: int = 0

    def open_for(self, image: tuple[int, ...]) -> tuple[int, ...]:
        assert image == IMAGE.shape
        for key in keys_for(self.bundle):
            found = self.cache.find(key)
            checksum = hashlib.sha256(b"engine").hexdigest()
            manifest = EngineManifest(SCHEMA, key, checksum, 6, 0.1, (), (), "2026-01-01T00:00:00+00:00")
            self.used[key.part] = found or self.cache.store(manifest, b"engine", "")
        return image

    def close(self) -> None:
        pass


@pytest.fixture
def shelf(nano: Bundle, tmp_path: Path) -> Shelf:
    return Shelf(nano, EngineCache(tmp_path / "engines"))


def proven(shelf: Shelf, driver: FakeDriver) -> ProvenRunner:
    return ProvenRunner(runner_for(shelf.bundle, driver), shelf, driver)


def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on engines come out a little too bright, as a badly compiled graph might."""
    enqueue = StandInExecution.enqueue

    def brighter(self: StandInExecution, stream_handle: int) -> None:
        enqueue(self, stream_handle)
        if "frame" in self.bound:
            _, _, work = self.driver.pending[-1]
            address, nbytes = work.writes[0]
            action = work.action

            def spoiled() -> None:
                action()
                view = self.driver.view(address, nbytes)
                view[:] = np.minimum(view.astype(int) + 4, 255)

            work.action = spoiled

    monkeypatch.setattr(StandInExecution, "enqueue", brighter)


def test_a_right_engine_is_proven_once_and_remembered(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    with proven(shelf, FakeDriver()) as runner:
        assert isinstance(runner, ProvenRunner)
        frame = runner.decode(runner.encode(IMAGE), IMAGE, GRID)
    assert frame.shape == (1, 60, 80, 3)
    for file in shelf.used.values():
        proof = file.manifest.proof
        assert proof is not None and proof.passed and proof.psnr_db > 50 and proof.device == "a GPU"
    monkeypatch.setattr(ProvenRunner, "_try_engines", lambda *_: pytest.fail("proven again"))
    again = Shelf(shelf.bundle, shelf.cache)
    with proven(again, FakeDriver()) as runner:
        assert isinstance(runner, ProvenRunner)
        runner.encode(IMAGE)


def test_a_wrong_engine_is_refused_now_and_later(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as bad:
        wrong(bad)
        with (
            proven(shelf, FakeDriver()) as runner,
            pytest.raises(EngineError, match=r"wrong pictures.*onnxruntime"),
        ):
            assert isinstance(runner, ProvenRunner)
            runner.encode(IMAGE)
    later = Shelf(shelf.bundle, shelf.cache)
    with (
        proven(later, FakeDriver()) as runner,
        pytest.raises(EngineError, match="dB from ONNX Runtime on a"),
    ):
        assert isinstance(runner, ProvenRunner)
        list(runner.frames([IMAGE], GRID))


def test_frames_in_flight_are_proven_and_measured(shelf: Shelf) -> None:
    with proven(shelf, FakeDriver()) as runner:
        assert isinstance(runner, ProvenRunner) and isinstance(runner, FlightRunner)
        assert len(list(runner.frames([IMAGE] * 5, GRID))) == 5
        assert runner.times.encoder_ms > 0 and runner.device_bytes > 0
    assert all(file.manifest.proof is not None for file in shelf.used.values())


def test_another_driver_asks_for_a_new_proof(shelf: Shelf) -> None:
    with proven(shelf, FakeDriver()) as runner:
        assert isinstance(runner, ProvenRunner)
        runner.encode(IMAGE)
    newer = Shelf(shelf.bundle, shelf.cache, gpu=dataclasses.replace(GPU, driver_cuda="13.1"))
    with proven(newer, FakeDriver()) as runner:
        assert isinstance(runner, ProvenRunner)
        runner.encode(IMAGE)
    assert {file.manifest.proof.driver for file in newer.used.values() if file.manifest.proof} == {"13.1"}


def test_int8_is_held_to_what_its_bundle_states(nano: Bundle) -> None:
    graph = nano.find("decoder", "fp16")
    assert graph is not None
    int8 = dataclasses.replace(graph, precision="int8", psnr_db=42.0)
    others = [one for one in nano.description.graphs if one.precision != "int8"]
    described = dataclasses.replace(nano.description, graphs=(*others, int8))
    bundle = Bundle(nano.path, described)
    assert required_db(bundle, "int8", "uint8") == 41.5
    assert required_db(bundle, "fp16", "uint8") == 50.0


def test_a_picture_of_nan_is_as_wrong_as_can_be() -> None:
    broken: Any = np.full((1, 4, 4, 3), np.nan, np.float32)
    assert difference(broken, np.zeros((1, 4, 4, 3), np.float32)) == (0.0, 255)
