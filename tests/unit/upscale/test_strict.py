"""``--strict`` on a film of which nothing is wrong but a frame: it fails, and says so, wherever the film goes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import pytest
from support.films import Making, make_film
from support.upscaling import nano_request

from edge_sr.errors import MediaError
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.streaming import Outgoing, stream_film
from edge_sr.upscale.upscale import upscale
from edge_sr.video.mux.streamed import Trial

WORDS = (
    "--model",
    "diinn-nano",
    "--backend",
    "onnxruntime",
    "--precision",
    "fp32",
    "--scale",
    "1",
    "--strict",
)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A film of whose sixth frame only the beginning is there; its decoder guesses the rest."""
    path = make_film(tmp_path / "film.mkv", Making(frames=12, codec="mpeg4"))
    with av.open(str(path)) as container:
        frame = [bytes(packet) for packet in container.demux(video=0)][5]
    path.write_bytes(path.read_bytes().replace(frame, frame[:8] + bytes(len(frame) - 8)))
    return path


@pytest.fixture
def request_for(film: Path) -> Request:
    return nano_request(film, film.with_name("out.mkv"), strict=True)


def test_into_a_file(request_for: Request) -> None:
    with pytest.raises(MediaError, match=r"was written, but --strict: 1 bad frames in .*film\.mkv"):
        upscale(request_for)


def test_into_a_stream(request_for: Request) -> None:
    outgoing = Outgoing(Trial(), lambda given, wanted: None, lambda plan, network, lost: None)
    with pytest.raises(MediaError, match=r"damaged: 1 bad frames in .*film\.mkv"):
        stream_film(request_for, outgoing, Controls())


def test_into_a_pipe(film: Path) -> None:
    command = [sys.executable, "-m", "edge_sr", "upscale", str(film), "-o", "-", *WORDS]
    ended = subprocess.run(command, capture_output=True)
    assert ended.returncode == 4
    assert b"12 frames were written, but --strict: 1 bad frames in" in ended.stderr
