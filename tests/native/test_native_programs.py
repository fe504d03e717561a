"""The C++ programs beside this file: kernels held against each other under sanitizers, and emulated."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sr.backends.native.library import encoder_kernels

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


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where programs under sanitizers are built, all from one build of the library."""
    return tmp_path_factory.mktemp("checked")


def build_checked(folder: Path, target: str) -> Path:
    need("cmake")
    if shutil.which("clang++"):
        return build(folder, target, "-DESR_FUZZ=ON", "-DCMAKE_CXX_COMPILER=clang++")
    need("c++")
    return build(folder, target, "-DESR_SANITIZE=ON")


@pytest.mark.slow
@pytest.mark.xdist_group("checked")
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("compare_kernels", ["portable: largest difference 0.00e+00", "all kernels agree"]),
        ("compare_encoders", ["portable: largest difference 0.00e+00, INT8 0.00e+00", "all encoders agree"]),
        ("train_patches", []),
    ],
)
def test_kernels_agree_under_sanitizers(checked: Path, target: str, expected: list[str]) -> None:
    output = run(str(build_checked(checked, target)))
    assert all(text in output for text in expected)


@pytest.mark.parametrize("folder", ["native", "integrations/vapoursynth"])
def test_fast_mathematics_of_others_are_put_off(folder: str, tmp_path: Path) -> None:
    """With ``CXXFLAGS=-ffast-math`` the sines were wrong by one."""
    need("cmake", "c++")
    flags = ("-DCMAKE_CXX_FLAGS=-ffast-math", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", "-DVAPOURSYNTH_INCLUDE=.")
    run("cmake", "-S", str(NATIVE.parent / folder), "-B", str(tmp_path), *flags)
    sums = [
        one["command"].split()
        for one in json.loads((tmp_path / "compile_commands.json").read_text())
        if "/native/src/" in one["file"] or "/frames/src/" in one["file"]
    ]
    assert sums
    assert all(one.index("-ffast-math") < one.index("-fno-fast-math") for one in sums)


@pytest.mark.slow
def test_neon_agrees_emulated(tmp_path: Path) -> None:
    need("cmake", *AARCH64)
    options = (
        "-DCMAKE_SYSTEM_NAME=Linux",
        "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
        f"-DCMAKE_CXX_COMPILER={AARCH64[0]}",
        "-DCMAKE_EXE_LINKER_FLAGS=-static",
    )
    decoder = run(AARCH64[1], str(build(tmp_path, "compare_kernels", *options)))
    assert "neon: largest difference" in decoder and "all kernels agree" in decoder
    program = str(build(tmp_path, "compare_encoders", *options))
    everything = run(AARCH64[1], "-cpu", "max", program)
    assert "neon: " in everything and "neon-dot: " in everything and "all encoders agree" in everything
    # A processor of Armv8.0, without dot products.
    oldest = run(AARCH64[1], "-cpu", "cortex-a72", program)
    assert "neon: " in oldest and "neon-dot: " not in oldest and "all encoders agree" in oldest


@pytest.mark.slow
@pytest.mark.xdist_group("checked")
def test_tiles_agree_emulated(checked: Path, tmp_path: Path) -> None:
    need("cmake", "c++")
    if "avx512-bf16" not in encoder_kernels():
        pytest.skip("tiles are emulated by a processor with AVX512-BF16 alone")

    def emulated(target: str) -> str:
        return run(str(build(tmp_path, target, "-DESR_EMULATED_TILES=ON")))

    encoders, decoder = emulated("compare_encoders"), emulated("compare_kernels")
    assert "amx: " in encoders and "all encoders agree" in encoders
    assert "amx: " in decoder and "all kernels agree" in decoder
    found, wanted = (losses_and_gradients(text) for text in (emulated("train_patches"), by_this(checked)))
    assert len(found) == len(wanted) > 0
    assert found == pytest.approx(wanted, rel=1e-3)


def by_this(checked: Path) -> str:
    return run(str(build_checked(checked, "train_patches")))


def losses_and_gradients(output: str) -> list[float]:
    return [float(number) for number in re.findall(r"(?:loss|gradient) (\S+)", output)]


@pytest.mark.slow
@pytest.mark.xdist_group("checked")
@pytest.mark.parametrize(("target", "runs"), [("fuzz_decode", 3000), ("fuzz_encode", 600)])
def test_fuzzer_finds_nothing(checked: Path, tmp_path: Path, target: str, runs: int) -> None:
    need("clang++")
    if platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("libFuzzer is not everywhere")
    program = build_checked(checked, target)
    run(str(program), f"-runs={runs}", "-seed=1", "-max_len=200", f"-artifact_prefix={tmp_path}/")


OTHERS = ["x86_64-linux-musl", "aarch64-linux-musl", "x86_64-windows-gnu", "aarch64-macos", "x86_64-macos"]


@pytest.mark.full
@pytest.mark.parametrize("target", ["x86_64-linux-gnu.2.17", "aarch64-linux-gnu.2.17", *OTHERS])
def test_other_systems_are_built_and_agree_where_they_run(target: str, tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    need("readelf")
    output = run(sys.executable, str(NATIVE / "cross.py"), "-o", str(tmp_path), target)
    assert output.startswith(f"{target}: _native.")
    assert "all encoders agree" in output or "built, not run" in output
    if "gnu." in target:
        symbols = run("readelf", "--dyn-syms", "--wide", str(tmp_path / target / "_native.so"))
        versions = {tuple(map(int, found.split("."))) for found in re.findall(r"@GLIBC_([\d.]+)", symbols)}
        assert versions and max(versions) <= (2, 17)
        assert "@GLIBCXX" not in symbols
