"""Whole films over the TensorRT runner on the checking device: the same pictures, nothing lost, nothing left."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cuda.device import FakeDriver
from support.engine_standin import runner_for
from support.films import Making, frame_pixels, frame_times, make_film

from edge_sr.backends.base import Runner, RunnerConfig
from edge_sr.backends.registry import BACKENDS, Backend
from edge_sr.errors import DeviceError
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.run.watcher import Silent
from edge_sr.upscale.upscale import upscale
from edge_sr.video.encode.workfolder import folder_for


class Devices:
    """The backend ``checked``, every device of which is kept; ``fail_after`` steps the next one is lost."""

    def __init__(self) -> None:
        self.drivers: list[FakeDriver] = []
        self.fail_after: int | None = None

    def open(self, config: RunnerConfig) -> Runner:
        self.drivers.append(FakeDriver(fail_after=self.fail_after))
        return runner_for(config.bundle, self.drivers[-1], config.precision, config.sample_type)


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> Devices:
    devices = Devices()
    monkeypatch.setitem(BACKENDS, "checked", Backend("checked", devices.open, lambda: None, lambda _: True))
    return devices


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("source") / "source.mp4", Making(size=(32, 24), frames=22))


def request_for(source: Path, output: Path, backend: str = "checked", **changes: Any) -> Request:
    fixed = {"model": "diinn-nano", "precision": "fp32", "preset": "veryfast", "segment_frames": 4}
    return Request(str(source), output, scale=Fraction(3, 2), backend=backend, **{**fixed, **changes})


def same_film(one: Path, other: Path) -> bool:
    pictures = zip(frame_pixels(one), frame_pixels(other), strict=True)
    return frame_times(one) == frame_times(other) and all(np.array_equal(*pair) for pair in pictures)


def test_a_film_is_the_cpus_and_leaves_nothing_on_the_device(
    devices: Devices, source: Path, tmp_path: Path
) -> None:
    report = upscale(request_for(source, tmp_path / "gpu.mp4"))
    upscale(request_for(source, tmp_path / "cpu.mp4", backend="onnxruntime"))
    assert report.frames == 22
    assert min(report.encoder_ms, report.decoder_ms) > 0
    assert report.device_mb is not None and report.device_mb > 0
    (driver,) = devices.drivers
    driver.close()
    assert frame_times(tmp_path / "gpu.mp4") == frame_times(tmp_path / "cpu.mp4")
    pictures = zip(frame_pixels(tmp_path / "gpu.mp4"), frame_pixels(tmp_path / "cpu.mp4"), strict=True)
    # Coded again with loss: a level that one rounded differently may be a few levels now.
    assert all(np.abs(one.astype(int) - other).mean() < 0.1 for one, other in pictures)


@pytest.mark.parametrize("steps", [0, 1, 40, 80, 125])
def test_a_device_that_is_lost_is_one_error_and_the_film_is_gone_on_with(
    devices: Devices, source: Path, tmp_path: Path, steps: int
) -> None:
    whole, output = tmp_path / "whole.mp4", tmp_path / "film.mp4"
    upscale(request_for(source, whole))
    devices.fail_after = steps
    with pytest.raises(DeviceError, match="--resume"):
        upscale(request_for(source, output))
    devices.fail_after = None
    report = upscale(request_for(source, output, resume=True))
    devices.drivers[-1].close()
    assert report.frames == 22
    assert report.resumed_frames > 0 or steps < 80
    assert same_film(output, whole)
    assert not folder_for(output).exists()


def test_a_stopped_film_keeps_what_was_in_flight(devices: Devices, source: Path, tmp_path: Path) -> None:
    from edge_sr.errors import InterruptedRun

    controls = Controls()

    class Stopping(Silent):
        def frame(self, done: int, fps: float) -> None:
            assert fps > 0
            if done == 6:
                controls.stop.set()

    with pytest.raises(InterruptedRun, match="stopped after 9 frames"):
        upscale(request_for(source, tmp_path / "film.mp4"), Controls(Stopping(), controls.stop))
    devices.drivers[-1].close()
