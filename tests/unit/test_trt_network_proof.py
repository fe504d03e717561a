"""A network's engine shows on its first run that it computes the right picture, or it is refused."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from support.cuda.device import FakeDriver
from support.engine_standin import StandInExecution, keys_for, network_for
from support.tiny_bundle import write_network

from edge_sr.backends.base import DeviceNetwork
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.tensorrt.proof.network import ProvenNetwork
from edge_sr.bundle import Bundle
from edge_sr.engines.store.cache import SCHEMA, EngineCache
from edge_sr.engines.store.cache import Engine as EngineFile
from edge_sr.engines.store.identity import EngineManifest, Shape
from edge_sr.errors import EngineError
from edge_sr.machine.gpu import Gpu
from edge_sr.tensors import reference_card

pytestmark = pytest.mark.filterwarnings("ignore:pictures of .* in .* windows")

IMAGE = reference_card(60, 50)[None]
WINDOW = (1, 40, 48, 3)


@dataclasses.dataclass
class Shelf:
    """One engine of the stand-in for a window, with its manifest in a real cache."""

    bundle: Bundle
    cache: EngineCache
    precision: str = "fp32"
    io: str = "uint8"
    gpu: Gpu = dataclasses.field(default_factory=lambda: Gpu("a GPU", "8.9", 8192, False, "13.0"))
    used: dict[str, EngineFile] = dataclasses.field(default_factory=dict)

    def open_for(self, image: Shape) -> Shape:
        (key,) = keys_for(self.bundle, sizes=((48, 40),))
        checksum = hashlib.sha256(b"engine").hexdigest()
        manifest = EngineManifest(SCHEMA, key, checksum, 6, 0.1, (), (), "2026-01-01T00:00:00+00:00")
        self.used["network"] = self.cache.find(key) or self.cache.store(manifest, b"engine", "")
        return WINDOW

    def close(self) -> None:
        pass


@pytest.fixture(params=[("fixed", 3), ("refine", 1)], ids=lambda kind: str(kind[0]))
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    return Shelf(write_network(tmp_path, *request.param), EngineCache(tmp_path / "engines"))


def proven(shelf: Shelf, driver: FakeDriver) -> ProvenNetwork:
    return ProvenNetwork(network_for(shelf.bundle, driver, sizes=((48, 40),)), shelf, driver)


def test_a_right_engine_is_proven_once_and_remembered(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    network = proven(shelf, FakeDriver())
    assert isinstance(network, DeviceNetwork)
    result = network.encode(IMAGE)
    network.close()
    wanted = OnnxEncoder(shelf.bundle, "fp32", "uint8", 1, "network").encode(IMAGE)
    assert np.abs(result.astype(int) - wanted).max() <= 1
    proof = shelf.used["network"].manifest.proof
    assert proof is not None and proof.passed and proof.psnr_db > 50 and proof.device == "a GPU"
    monkeypatch.setattr(ProvenNetwork, "_try_engines", lambda *_: pytest.fail("proven again"))
    again = proven(Shelf(shelf.bundle, shelf.cache), FakeDriver())
    assert len(list(again.stream([IMAGE] * 4))) == 4
    assert again.times.encoder_ms > 0 and again.device_bytes > 0
    again.close()


def test_a_wrong_engine_is_refused_now_and_later(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as bad:
        _brighten(bad)
        network = proven(shelf, FakeDriver())
        with pytest.raises(EngineError, match=r"wrong pictures.*onnxruntime"):
            network.encode(IMAGE)
        network.close()
    later = proven(Shelf(shelf.bundle, shelf.cache), FakeDriver())
    with pytest.raises(EngineError, match="dB from ONNX Runtime on a"):
        list(later.stream([IMAGE]))
    later.close()


def _brighten(monkeypatch: pytest.MonkeyPatch) -> None:
    enqueue = StandInExecution.enqueue

    def brighter(self: StandInExecution, stream_handle: int) -> None:
        enqueue(self, stream_handle)
        _, _, work = self.driver.pending[-1]
        action, written = work.action, work.writes[0]

        def spoiled() -> None:
            action()
            view = self.driver.view(*written)
            view[:] = np.minimum(view.astype(int) + 4, 255)

        work.action = spoiled

    monkeypatch.setattr(StandInExecution, "enqueue", brighter)


def test_a_network_of_whole_frames_is_proven_by_one(tmp_path: Path) -> None:
    bundle = write_network(tmp_path, "fixed", 2, whole=True)
    shelf = Shelf(bundle, EngineCache(tmp_path / "engines"))
    network = proven(shelf, FakeDriver())
    network.encode(reference_card(48, 40)[None])
    network.close()
    proof = shelf.used["network"].manifest.proof
    assert proof is not None and proof.passed
