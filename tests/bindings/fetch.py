"""Fetch the real Python bindings of eight TensorRT releases, without TensorRT, and link stubs for them.

    python tests/bindings/fetch.py [FOLDER]

About 10 MB of wheels from PyPI into FOLDER (default: $EDGE_SR_BINDINGS, else ~/.cache/edge-sr/bindings),
each unpacked as FOLDER/VERSION, and FOLDER/stubs with empty libraries of the names the bindings ask for.
Needs a C compiler. What is there already is kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

RELEASES = {
    "8.6.1": "tensorrt-bindings==8.6.1",
    "10.0.1": "tensorrt-cu12-bindings==10.0.1",
    "10.3.0": "tensorrt-cu12-bindings==10.3.0",
    "10.7.0": "tensorrt-cu12-bindings==10.7.0",
    "10.13.3": "tensorrt-cu12-bindings==10.13.3.9",
    "10.16.1": "tensorrt-cu12-bindings==10.16.1.11",
    "11.0.0": "tensorrt-cu12-bindings==11.0.0.114",
    "11.4.0": "tensorrt-cu12-bindings==11.4.0.106",
}
LIBRARIES = ("nvinfer", "nvonnxparser", "nvparsers", "nvinfer_plugin")


def default_folder() -> Path:
    return Path(os.environ.get("EDGE_SR_BINDINGS") or Path.home() / ".cache/edge-sr/bindings")


def binding(folder: Path, version: str) -> Path | None:
    """The extension module of one release, or ``None`` when it is not in the folder."""
    return next(iter((folder / version).glob("*/tensorrt.so")), None)


def fetch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for version, requirement in RELEASES.items():
        if binding(folder, version) is None:
            _download(folder, version, requirement)
    _link_stubs(folder / "stubs")


def _download(folder: Path, version: str, requirement: str) -> None:
    wheels = folder / "wheels" / version
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels), requirement],
        check=True,
    )
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        wheel.extractall(folder / version)


def _link_stubs(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    source = Path(__file__).with_name("stub.c")
    for major in (8, 10, 11):
        for name in LIBRARIES:
            soname = f"lib{name}.so.{major}"
            command = [
                "cc",
                "-shared",
                "-fPIC",
                str(source),
                f"-Wl,-soname,{soname}",
                "-o",
                str(folder / soname),
            ]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    fetch(Path(sys.argv[1]) if len(sys.argv) > 1 else default_folder())
