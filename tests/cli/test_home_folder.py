"""Nothing of a run is told elsewhere, nor noted in the user's home by the libraries that it uses."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from support.images import png

openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="needs OpenVINO")


@pytest.mark.parametrize(
    "words",
    [
        ("doctor",),
        ("upscale", "a.png", "--scale", "2", "--backend", "onnxruntime"),
        pytest.param(("upscale", "a.png", "--scale", "2", "--backend", "openvino"), marks=openvino),
    ],
    ids=lambda words: " ".join((words[0], words[-1])),
)
def test_libraries_leave_the_home_folder_as_it_is(tmp_path: Path, words: tuple[str, ...]) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    (work / "a.png").write_bytes(png(np.full((16, 24, 3), 99, np.uint8)))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    done = subprocess.run(
        [sys.executable, "-m", "edge_sr", *words],
        cwd=work,
        env={**kept, "HOME": str(home), "EDGE_SR_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(home.iterdir())
