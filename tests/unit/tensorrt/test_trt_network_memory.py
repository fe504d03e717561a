"""Networks of one graph where TensorRT has too little memory of its own to compute in: smaller windows, verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cuda.device import FakeDriver
from support.engine_standin import StandInExecution, StoredEngines, brighten, network_for
from support.tiny_bundle import write_network

from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.tensorrt.verification.network import VerifiedNetwork
from edge_sr.bundle import Bundle
from edge_sr.engines.store.store import EngineStore
from edge_sr.errors import EngineError, MemoryLimitError
from edge_sr.tensors import reference_card

pytestmark = pytest.mark.filterwarnings("ignore:pictures of .* in .* windows")

SIZE = (60, 50)
PICTURES = [np.roll(reference_card(*SIZE), 3 * number, axis=1) for number in range(6)]
# The engine takes a picture whole; there is memory for half of one.
SIZES, MOST = {"max_size": (64, 64)}, 1600


@pytest.fixture
def fixed(tmp_path: Path) -> Bundle:
    return write_network(tmp_path, "fixed", 2)


def pixels(execution: StandInExecution) -> int:
    return execution.shapes["image"][1] * execution.shapes["image"][2]


def too_little_for(monkeypatch: pytest.MonkeyPatch, most: int, after: int) -> None:
    """From the window number ``after`` on."""
    enqueue, seen = StandInExecution.enqueue, list[int]()

    def short(self: StandInExecution, stream_handle: int) -> None:
        seen.append(1)
        if pixels(self) > most and len(seen) > after:
            raise MemoryLimitError("the GPU is out of memory for network: OutOfMemory (Requested 9 bytes.)")
        enqueue(self, stream_handle)

    monkeypatch.setattr(StandInExecution, "enqueue", short)


def verified(bundle: Bundle, folder: Path) -> VerifiedNetwork:
    engines = StoredEngines(RunnerConfig(bundle, "fp32"), EngineStore(folder / "engines"), SIZES)
    return VerifiedNetwork(network_for(bundle, FakeDriver(), **SIZES), engines, FakeDriver())


def assert_right(bundle: Bundle, results: list[Any]) -> None:
    network = OnnxEncoder(RunnerConfig(bundle, "fp32"), "network")
    for result, picture in zip(results, PICTURES, strict=False):
        assert np.abs(result.frame.astype(int) - network.encode(picture[None])[0]).max() <= 1


@pytest.mark.parametrize("after", [0, 2])
def test_a_film_goes_on_in_smaller_windows(
    fixed: Bundle, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    too_little_for(monkeypatch, MOST, after)
    driver = FakeDriver()
    network = network_for(fixed, driver, **SIZES)
    with pytest.warns(UserWarning, match="short of memory: windows of 30x50 from here on"):
        results = list(network.stream(PICTURES))
    assert network.window_for((1, *PICTURES[0].shape)) == (1, 50, 30, 3)
    network.close()
    driver.close()
    assert len(results) == len(PICTURES)
    assert_right(fixed, results)


def test_a_window_that_cannot_be_smaller_is_the_end(fixed: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    too_little_for(monkeypatch, 10, 0)
    driver = FakeDriver()
    network = network_for(fixed, driver, sizes=((60, 50),))
    with pytest.raises(MemoryLimitError, match="no room for a window of 60x50"):
        list(network.stream(PICTURES))
    network.close()
    driver.close()


@pytest.mark.parametrize("after", [0, 4])
def test_what_is_verified_are_the_windows_in_use(
    fixed: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, after: int
) -> None:
    too_little_for(monkeypatch, MOST, after)
    network = verified(fixed, tmp_path)
    with pytest.warns(UserWarning, match="short of memory"):
        results = list(network.stream(PICTURES))
    proof = network._engines.used["network"].manifest.proof
    network.close()
    assert_right(fixed, results)
    assert len(results) == len(PICTURES)
    assert proof is not None and proof.shapes == (("60x50", "30x50") if after else ("30x50",))


def test_windows_that_grew_smaller_in_a_film_are_verified(
    fixed: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    too_little_for(monkeypatch, MOST, 4)
    brighten(monkeypatch, lambda execution: pixels(execution) <= MOST)
    network, results = verified(fixed, tmp_path), []
    with (
        pytest.warns(UserWarning, match="short of memory"),
        pytest.raises(EngineError, match="wrong pictures"),
    ):
        for result in network.stream(PICTURES):
            results.append(result)
    network.close()
    assert_right(fixed, results)
