"""A film over an engine that ``build`` made: found in the cache, proven, run on the checking device."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.calling import Command
from support.cuda.device import FakeDriver
from support.engine_standin import StandInEngine
from support.films import Making, frame_pixels, make_film
from support.tiny_bundle import write_network

from edge_sr.backends.tensorrt import engines as tensorrt_engines
from edge_sr.backends.tensorrt import open as tensorrt_open
from edge_sr.bundle import Bundle
from edge_sr.engines.store.identity import EngineKey
from edge_sr.machine.gpu import Gpu

pytest.importorskip("tensorrt_rtx", reason="needs TensorRT for RTX: pip install 'edge-sr[tensorrt-rtx]'")

SIZES = {"fixed": "32x24", "refine": "48x36"}
Run = Callable[..., Any]


@pytest.fixture(params=[("fixed", 2), ("refine", 1)], ids=lambda kind: str(kind[0]))
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Bundle:
    return write_network(tmp_path, *request.param)


@pytest.fixture
def drivers(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> list[FakeDriver]:
    """A device as good as an RTX 40, on which ONNX Runtime does what an engine whose bytes are sound does."""
    made: list[FakeDriver] = []

    def driver() -> FakeDriver:
        made.append(FakeDriver())
        return made[-1]

    def engine(_library: object, key: EngineKey, plan: bytes, _kernels: Path) -> StandInEngine:
        assert len(plan) > 1000
        return StandInEngine(made[-1], bundle, key)

    gpu = Gpu("NVIDIA GeForce RTX 4060", "8.9", 8192, False, "13.0")
    monkeypatch.setattr(tensorrt_open, "unavailable_reason", lambda _: None)
    monkeypatch.setattr(tensorrt_open, "find_gpu", lambda: gpu)
    monkeypatch.setattr(tensorrt_open.choose, "open_driver", driver)
    monkeypatch.setattr(tensorrt_engines, "TensorRTEngine", engine)
    return made


@pytest.fixture
def edge_sr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("EDGE_SR_CACHE", str(tmp_path / "cache"))
    return lambda *words: Command(str(words[0]), monkeypatch, capsys)(*words[1:])


def test_a_film_goes_through_the_engine_that_was_built(
    bundle: Bundle, drivers: list[FakeDriver], edge_sr: Run, tmp_path: Path
) -> None:
    source = make_film(tmp_path / "source.mp4", Making(size=(32, 24), frames=9))
    common = ("upscale", source, "--size", "48x36", "--model", bundle.path, "--precision", "fp32", "--json")
    on_gpu = (*common, "-o", tmp_path / "gpu.mp4", "--backend", "tensorrt-rtx")
    missing = edge_sr(*on_gpu)
    assert missing.code == 3
    assert not list(tmp_path.glob("*.part")), "nothing was made, so nothing may be in the next run's way"
    command = re.search(r"edge-sr (build .*)", missing.err)
    assert command is not None and command[1].endswith(f"--precision fp32 --sizes {SIZES[bundle.kind]}")
    # Where there is no GPU the target must be named.
    assert edge_sr(*shlex.split(command[1].replace("auto", "rtx-40"))).code == 0
    done = edge_sr(*on_gpu)
    assert done.code == 0, done.err
    assert (done.json["backend"], done.json["frames"]) == ("tensorrt-rtx", 9)
    assert done.json["encoder_ms"] > 0
    drivers[-1].close()
    assert edge_sr(*common, "-o", tmp_path / "cpu.mp4", "--backend", "onnxruntime").code == 0
    for pair in zip(frame_pixels(tmp_path / "gpu.mp4"), frame_pixels(tmp_path / "cpu.mp4"), strict=True):
        # Coded again with loss: a level that one rounded differently may be a few levels now.
        assert np.abs(pair[0].astype(int) - pair[1]).mean() < 0.1
