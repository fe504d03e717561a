"""The C++ programs beside this file: kernels held against each other under sanitizers, and emulated."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"
AARCH64 = ("aarch64-linux-gnu-g++", "qemu-aarch64")


def need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def build(folder: Path, target: str, *options: str) -> Path:
    """Configure and build one target of native/; its path."""
    configure = ["cmake", "-S", str(NATIVE), "-B", str(folder), "-DESR_TESTS=ON", *options]
    for command in (configure, ["cmake", "--build", str(folder), "--target", target, "--parallel", "2"]):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / target


def run(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "UBSAN_OPTIONS": "halt_on_error=1"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_kernels_agree_under_sanitizers(tmp_path: Path) -> None:
    need("cmake", "c++")
    program = build(tmp_path, "compare_kernels", "-DESR_SANITIZE=ON")
    output = run(str(program))
    assert "portable: largest difference 0.00e+00" in output
    assert "all kernels agree" in output


@pytest.mark.slow
def test_neon_agrees_emulated(tmp_path: Path) -> None:
    need("cmake", *AARCH64)
    program = build(
        tmp_path,
        "compare_kernels",
        "-DCMAKE_SYSTEM_NAME=Linux",
        "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
        f"-DCMAKE_CXX_COMPILER={AARCH64[0]}",
        "-DCMAKE_EXE_LINKER_FLAGS=-static",
    )
    output = run(AARCH64[1], str(program))
    assert "neon: largest difference" in output
    assert "all kernels agree" in output


@pytest.mark.slow
def test_fuzzer_finds_nothing(tmp_path: Path) -> None:
    need("cmake", "clang++")
    if platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("libFuzzer is not everywhere")
    program = build(tmp_path, "fuzz_decode", "-DESR_FUZZ=ON", "-DCMAKE_CXX_COMPILER=clang++")
    run(str(program), "-runs=3000", "-seed=1", "-max_len=200", f"-artifact_prefix={tmp_path}/")
