"""The ``cuda`` backend end to end, in processes that see an emulated GPU, and in one that sees none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cuda.driver_folder import emulated_environment
from support.scenes import scene

from edge_sr.video.frames.planes import read_plane

pytest.importorskip("cuda.bindings.driver", reason="not installed: cuda-bindings")
pytest.importorskip("nvidia.cuda_nvrtc", reason="not installed: nvidia-cuda-nvrtc-cu12")

ROOT = Path(__file__).parents[2]
DESKTOP = "name=emulated GPU;capability=8.7;sms=1;shared=50000;memory=67108864"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is compiled, measured and proven once."""
    return tmp_path_factory.mktemp("cache")


def run(cache: Path, *arguments: str, gpu: str = DESKTOP) -> subprocess.CompletedProcess[str]:
    environment = emulated_environment(cache, gpu, PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'tests'}")
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, cwd=ROOT
    )


def edge_sr(cache: Path, *arguments: str, gpu: str = DESKTOP) -> subprocess.CompletedProcess[str]:
    return run(cache, "-m", "edge_sr", *arguments, gpu=gpu)


@pytest.mark.xdist_group("emulated-gpu")
@pytest.mark.parametrize("name", ["on_emulated_gpu.py", "films_on_emulated_gpu.py"])
def test_in_a_process_that_has_one(cache: Path, name: str) -> None:
    tests = str(Path(__file__).with_name(name))
    done = run(cache, "-m", "pytest", "-q", "-x", tests)
    assert done.returncode == 0, done.stdout + done.stderr


def planes(path: Path) -> list[list[Any]]:
    """Luma and both chroma of every frame, in levels of eight bits."""
    import av

    with av.open(str(path)) as film:
        return [
            [
                read_plane(plane, "u1" if frame.format.name == "yuv420p" else "<u2", plane.width)
                / (1 if frame.format.name == "yuv420p" else 4)
                for plane in frame.planes
            ]
            for frame in film.decode(video=0)
        ]


def made_film(path: Path, frames: int, pixel_format: str = "yuv420p") -> Path:
    """A scene that moves, 48x32."""
    import av

    picture = np.ascontiguousarray(scene(3, 96, 80)[:32, :48])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, pixel_format
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 3 * number, axis=1).copy(), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_film(tmp_path_factory.mktemp("film") / "film.mkv", 5)


@pytest.mark.xdist_group("emulated-gpu")
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_a_film(cache: Path, pixel_format: str, tmp_path: Path) -> None:
    """Through the whole command, as YUV to the GPU and back. Beside the CPU's film, which is RGB in between, it differs
    by float16, and at edges of colour by chroma's filter: two taps here, swscale's four there."""
    film = made_film(tmp_path / "film.mkv", 3, pixel_format)
    common = ("upscale", str(film), "--model", "diinn-nano", "--scale", "1.5", "--codec", "ffv1", "--json")
    ours, reference = tmp_path / "gpu.mkv", tmp_path / "cpu.mkv"
    done = edge_sr(cache, *common, "--backend", "cuda", "-o", str(ours))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["backend"], report["precision"], report["frames"]) == ("cuda", "fp16", 3)
    assert report["encoder_ms"] > 0
    other = edge_sr(cache, *common, "--backend", "onnxruntime", "--precision", "fp32", "-o", str(reference))
    assert other.returncode == 0, other.stderr
    for got, want in zip(planes(ours), planes(reference), strict=True):
        for least_db, one, another in zip((50, 40, 40), got, want, strict=True):
            assert 10 * np.log10(255**2 / np.mean((one - another) ** 2)) > least_db


@pytest.mark.xdist_group("emulated-gpu")
def test_a_lost_device_ends_with_5_and_says_how_to_go_on(cache: Path, film: Path, tmp_path: Path) -> None:
    arguments = ("upscale", str(film), "--model", "diinn-nano", "--scale", "1.5", "--backend", "cuda")
    output = ("-o", str(tmp_path / "lost.mkv"))
    done = edge_sr(cache, *arguments, *output, gpu=f"{DESKTOP};fail_after=110")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "--resume" in done.stderr
    again = edge_sr(cache, *arguments, *output, "--resume")
    assert again.returncode == 0, again.stderr
    assert len(planes(tmp_path / "lost.mkv")) == 5


@pytest.mark.xdist_group("emulated-gpu")
def test_a_decoder_that_does_not_fit_the_gpu_ends_with_4_and_says_who_takes_it(
    cache: Path, film: Path, tmp_path: Path
) -> None:
    arguments = ("upscale", str(film), "--model", "diinn-nano", "--scale", "1.5")
    small = DESKTOP.replace("shared=50000", "shared=5000")
    done = edge_sr(cache, *arguments, "--backend", "cuda", "-o", str(tmp_path / "small.mkv"), gpu=small)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "bytes of shared memory" in done.stderr and "--backend native" in done.stderr


@pytest.mark.xdist_group("emulated-gpu")
def test_doctor_says_what_the_backend_can_do(cache: Path) -> None:
    checks = json.loads(edge_sr(cache, "doctor", "--json").stdout)["checks"]
    cuda = next(check for check in checks if check["name"] == "cuda")
    assert cuda["kind"] == "backend" and cuda["state"] == "ready"
    assert "emulated GPU" in cuda["detail"] and "8.7" in cuda["detail"]


def test_without_a_gpu_the_command_exits_with_3(film: Path, tmp_path: Path) -> None:
    arguments = ("upscale", str(film), "--scale", "2", "--backend", "cuda", "-o", str(tmp_path / "x.mkv"))
    done = subprocess.run(
        [sys.executable, "-m", "edge_sr", *arguments], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 3 and "backend cuda cannot run here" in done.stderr
