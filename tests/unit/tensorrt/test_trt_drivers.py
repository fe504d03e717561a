"""cuda-bindings and pycuda are called as they are: the real packages, on a driver in host memory."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.drivers import installed_drivers

BINDINGS = Path(__file__).parents[2] / "bindings"


def compile_driver(folder: Path) -> Path:
    """``libcuda.so.1`` from ``libcuda.c``, with a refusal for every other function that pycuda links to."""
    source = (BINDINGS / "libcuda.c").read_text()
    written = set(re.findall(r"^API (cu\w+)\(", source, re.MULTILINE))
    refusals = "\n".join(f"API {name}(void) {{ return 801; }}" for name in sorted(_wanted() - written))
    (folder / "libcuda.c").write_text(f"{source}\n{refusals}\n")
    output = folder / "libcuda.so.1"
    command = ["cc", "-shared", "-fPIC", folder / "libcuda.c", "-o", output, "-Wl,-soname,libcuda.so.1"]
    subprocess.run([*command, "-ldl"], check=True)
    return output


def _wanted() -> set[str]:
    """The driver's functions that the installed pycuda links to."""
    spec = importlib.util.find_spec("pycuda")
    if spec is None or spec.origin is None:
        return set()
    (extension,) = Path(spec.origin).parent.glob("_driver*.so")
    listed = subprocess.run(
        ["nm", "-D", "--undefined-only", extension], capture_output=True, text=True, check=True
    )
    return set(re.findall(r" U (cu\w+)", listed.stdout))


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize(
    "target, code, message",
    [
        ("auto", 2, "no target profile fits driver in host memory 0 (compute capability 8.9)"),
        ("h100", 3, "on the machine with NVIDIA H100 SXM, run: edge-sr build diinn-nano --target h100"),
        ("h100", 3, "this is driver in host memory 0, compute capability 8.9"),
    ],
)
def test_build_knows_the_gpu_that_it_runs_on(tmp_path: Path, target: str, code: int, message: str) -> None:
    compile_driver(tmp_path)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "PYTHONPATH": str(BINDINGS.parents[1])}
    command = [sys.executable, "-m", "edge_sr", "build", "diinn-nano", "--target", target]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == code and message in done.stderr, done.stderr


@pytest.mark.parametrize("package", installed_drivers() or ["cuda-bindings"])
def test_a_real_package_does_what_the_runner_asks(tmp_path: Path, package: str) -> None:
    _need(package)
    done = _run(tmp_path, str(BINDINGS / "run_driver.py"), package)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "one frame is right" in done.stdout
    assert "seven frames in flight are right" in done.stdout
    assert "a graph was captured, launched and freed" in done.stdout
    assert "all device memory was freed" in done.stdout
    assert "out of memory is ours" in done.stdout
    assert "mapped memory and event times work" in done.stdout


def test_the_device_part_itself_runs_on_it(tmp_path: Path) -> None:
    """What waits for a GPU in ``tests/gpu`` must not fail there for reasons of its own, nor pass by being left out."""
    _need("cuda-bindings")
    pytest.importorskip("nvidia.cuda_nvrtc", reason="not installed: nvidia-cuda-nvrtc-cu12")
    done = _run(tmp_path, "-c", "from gpu.first_run import device_layer; print(device_layer())")
    assert done.returncode == 0 and "ms a frame" in done.stdout, done.stdout + done.stderr


def _need(package: str) -> None:
    if package not in installed_drivers():
        pytest.skip(f"not installed: {package}")
    if shutil.which("cc") is None or shutil.which("nm") is None:
        pytest.skip("needs a C compiler and nm")


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python in a process that finds the driver in host memory."""
    compile_driver(folder)
    path = os.pathsep.join([str(BINDINGS.parents[1]), str(BINDINGS.parent), *filter(None, sys.path)])
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=environment, check=False
    )
