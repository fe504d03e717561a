"""Every name and signature of TensorRT that Edge SR calls exists in the real bindings of each release."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BINDINGS = Path(__file__).parents[2] / "bindings"
sys.path.insert(0, str(BINDINGS))
import fetch

FOLDER = fetch.default_folder()


def compare(*arguments: str) -> dict[str, Any]:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(FOLDER / "stubs")}
    environment["PYTHONPATH"] = str(BINDINGS.parents[1])
    command = [sys.executable, str(BINDINGS / "compare.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def report_for(version: str) -> dict[str, Any]:
    path = fetch.binding(FOLDER, version)
    if path is None:
        pytest.skip(f"bindings of TensorRT {version} are not in {FOLDER}: run python tests/bindings/fetch.py")
    if f"cp{sys.version_info.major}{sys.version_info.minor}" not in wheel_tags(version):
        pytest.skip(f"bindings of TensorRT {version} in {FOLDER} are for another Python")
    return compare(str(path))


def wheel_tags(version: str) -> str:
    return " ".join(wheel.name for wheel in (FOLDER / "wheels" / version).glob("*.whl"))


@pytest.mark.parametrize("version", [v for v in fetch.RELEASES if v != "8.6.1"])
def test_every_call_exists_in(version: str) -> None:
    report = report_for(version)
    assert report["misfits"] == []
    assert report["refused"] is None
    assert report["log"] == ["WARNING: hello"]


def test_tensorrt_8_is_refused_naming_the_jetpack_to_move_to() -> None:
    report = report_for("8.6.1")
    assert "JetPack 6.2" in report["refused"]


def test_every_call_exists_in_tensorrt_for_rtx() -> None:
    pytest.importorskip(
        "tensorrt_rtx", reason="TensorRT for RTX is not installed: pip install 'edge-sr[tensorrt-rtx]'"
    )
    report = compare("-", "tensorrt_rtx")
    assert report["misfits"] == []
    assert report["sized"] == []


def test_the_comparison_finds_a_name_that_is_not_there() -> None:
    assert any("STRONGLY_TYPED is missing" in line for line in report_for("8.6.1")["misfits"])
