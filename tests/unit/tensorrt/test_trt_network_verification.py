"""A network's engine shows on its first run that it computes the right picture, or it is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from support.cuda.device import FakeDriver
from support.engine_standin import StoredEngines, brighten, network_for
from support.tiny_bundle import write_network

from edge_sr.backends.base import DeviceNetwork, RunnerConfig
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.tensorrt.verification.network import VerifiedNetwork
from edge_sr.bundle import Bundle
from edge_sr.engines.store.store import EngineStore
from edge_sr.errors import EngineError
from edge_sr.tensors import reference_card

pytestmark = pytest.mark.filterwarnings("ignore:pictures of .* in .* windows")

IMAGE = reference_card(60, 50)[None]
WINDOW = (1, 40, 48, 3)
SIZES = {"sizes": ((48, 40),)}


def stored(bundle: Bundle, folder: Path) -> StoredEngines:
    return StoredEngines(RunnerConfig(bundle, "fp32"), EngineStore(folder / "engines"), SIZES, WINDOW)


@pytest.fixture(params=[("fixed", 3), ("refine", 1)], ids=lambda kind: str(kind[0]))
def engines(request: pytest.FixtureRequest, tmp_path: Path) -> StoredEngines:
    return stored(write_network(tmp_path, *request.param), tmp_path)


def verified(engines: StoredEngines) -> VerifiedNetwork:
    driver = FakeDriver()
    return VerifiedNetwork(network_for(engines.config.bundle, driver, **SIZES), engines, driver)


def test_a_right_engine_is_verified_once_and_remembered(
    engines: StoredEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = verified(engines)
    assert isinstance(network, DeviceNetwork)
    result = network.encode(IMAGE)
    network.close()
    wanted = OnnxEncoder(RunnerConfig(engines.config.bundle, "fp32"), "network").encode(IMAGE)
    assert np.abs(result.astype(int) - wanted).max() <= 1
    proof = engines.used["network"].manifest.proof
    assert proof is not None and proof.passed and proof.psnr_db > 50 and proof.device == "a GPU"
    assert proof.shapes == ("48x40",)
    monkeypatch.setattr(VerifiedNetwork, "_try_engine", lambda *_: pytest.fail("verified again"))
    again = verified(dataclasses.replace(engines, used={}))
    results = list(again.stream([IMAGE[0]] * 4))
    assert len(results) == 4
    assert results[-1].times.encoder_ms > 0 and again.device_bytes > 0
    again.close()


def test_a_wrong_engine_is_refused_now_and_later(
    engines: StoredEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as bad:
        brighten(bad, lambda _: True)
        network = verified(engines)
        with pytest.raises(EngineError, match=r"wrong pictures.*onnxruntime"):
            network.encode(IMAGE)
        network.close()
    later = verified(dataclasses.replace(engines, used={}))
    with pytest.raises(EngineError, match="dB from ONNX Runtime on a"):
        list(later.stream(IMAGE))
    later.close()


def test_a_network_of_whole_frames_is_verified_by_one(tmp_path: Path) -> None:
    engines = stored(write_network(tmp_path, "fixed", 2, whole=True), tmp_path)
    network = verified(engines)
    network.encode(reference_card(48, 40)[None])
    network.close()
    proof = engines.used["network"].manifest.proof
    assert proof is not None and proof.passed
