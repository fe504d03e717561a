"""``tests/gpu/on_gpu.sh`` rehearsed: every step on the emulated GPU, and the table that it ends with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.cuda.driver_folder import emulated_environment
from support.cuda.emulator import kernels_library
from support.cuda.probes import ProbeForm

from edge_sr.backends.cuda.network.form import DecoderForm

pytest.importorskip("cuda.bindings.driver", reason="not installed: cuda-bindings")
pytest.importorskip("nvidia.cuda_nvrtc", reason="not installed: nvidia-cuda-nvrtc-cu12")

ROOT = Path(__file__).parents[2]
GPU = "name=emulated GPU;capability=9.0;sms=1;shared=166912;memory=268435456"


@pytest.mark.full
@pytest.mark.timeout(600)
def test_every_step_and_the_table(tmp_path: Path) -> None:
    for form in (ProbeForm(), DecoderForm((32, 24, 16), 3, True)):
        kernels_library(form)  # type: ignore[arg-type]
    environment = emulated_environment(
        tmp_path, GPU, PYTHON=sys.executable, PYTHONPATH=os.pathsep.join(sys.path)
    )
    command = [str(ROOT / "tests" / "gpu" / "on_gpu.sh"), "rehearsal", "-o", str(tmp_path / "report")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    steps = dict(line.split(": ", 1) for line in (tmp_path / "report" / "steps.txt").read_text().splitlines())
    assert done.returncode == 0, done.stdout
    # Without a device there is no nvidia-smi and, here, no sanitizer; PyTorch may be missing too.
    needed = {"doctor", "kernels-own", "kernels-turing", "kernels-ptx", "times", "film", "surfaces", "table"}
    assert all(steps[name].startswith("passed") for name in needed), steps
    text = (tmp_path / "report" / "table.md").read_text()
    for model in ("diinn-edge", "diinn-nano"):
        row = next(line for line in text.splitlines() if line.startswith(f"| {model} |"))
        assert row.count(" = ") >= 2, row
        report = json.loads((tmp_path / "report" / f"bench-{model}.json").read_text())
        assert report["backend"] == "cuda"
    assert "frames a second" in text
