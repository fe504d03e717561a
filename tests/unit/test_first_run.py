"""What owners of a GPU run once is rehearsed with ONNX Runtime in the GPU's place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorrt_rtx", reason="needs TensorRT for RTX: pip install 'edge-sr[tensorrt-rtx]'")

SCRIPT = Path(__file__).parents[1] / "gpu" / "first_run.sh"


def first_run(output: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(SCRIPT), *words, "-o", str(output)]
    environment = {**os.environ, "PYTHON": sys.executable, "EDGE_SR_CACHE": str(output.parent / "cache")}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_rehearsal_goes_through_every_step(tmp_path: Path) -> None:
    done = first_run(tmp_path / "run.json", "rehearsal")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "run.json").read_text())
    assert found["rehearsal"] is True and "failed" not in found
    assert [len(found["build"]), found["film"]["frames"]] == [2, 6]
    assert {finding["name"] for finding in found["doctor"]} >= {"onnxruntime", "tensorrt-rtx", "gpu"}
    plain, captured = found["frames"]
    assert (plain["graphs"], captured["graphs"]) == (False, True)
    for frames in (plain, captured):
        assert frames["db_from_cpu"] >= 55 and frames["largest_level"] <= 2 and not frames["said"]
        assert len(frames["frames_per_second"]) == 2 and min(frames["frames_per_second"]) > 0
        assert frames["medians_ms"]["decoder_ms"] > 0 and frames["device_bytes"] > 0


def test_what_is_missing_ends_the_run_and_is_written(tmp_path: Path) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    done = first_run(tmp_path / "run.json", "tensorrt-rtx")
    assert done.returncode == 1
    found = json.loads((tmp_path / "run.json").read_text())
    assert found["failed"]["step"] == "device" and "libcuda" in found["failed"]["error"]
