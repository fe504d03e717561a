"""Extras: what makes up `all`, which one a message names, what they ask for on each machine, and that it is there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.calling import Command

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

requirements = pytest.importorskip("packaging.requirements")

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Compiled where they are installed: on purpose for pycuda, which must match the device's CUDA.
SOURCES_ALONE = {"pycuda", "PyGObject", "tensorrt-cu12"}
# Names without a wheel of their own: what they install is in these.
PARTS = {
    name: [f"{name}-bindings", f"{name}-libs"]
    for name in ("tensorrt-cu12", "tensorrt-rtx-cu12", "tensorrt-rtx-cu13")
}
TAGS = ("manylinux_2_17", "manylinux2014", "manylinux_2_28", "manylinux_2_31", "manylinux_2_35")


def asked_for(extra: str, machine: str, python: str = "3.12") -> Iterator[str]:
    """Name and version of every direct requirement there, those of other extras of ours included."""
    for text in EXTRAS[extra]:
        wanted = requirements.Requirement(text)
        there = {"platform_machine": machine, "python_version": python, "sys_platform": "linux", "extra": ""}
        if wanted.marker is not None and not wanted.marker.evaluate(there):
            continue
        if wanted.name == PROJECT["name"]:
            for inner in wanted.extras:
                yield from asked_for(inner, machine, python)
        else:
            yield f"{wanted.name}{wanted.specifier}"


def with_wheels(extra: str, machine: str, python: str) -> Iterator[str]:
    """What has to be there as a wheel."""
    for text in asked_for(extra, machine, python):
        wanted = requirements.Requirement(text)
        if wanted.name not in SOURCES_ALONE:
            yield from (f"{part}{wanted.specifier}" for part in PARTS.get(wanted.name, [wanted.name]))


def names(extra: str, machine: str) -> set[str]:
    return {requirements.Requirement(text).name for text in asked_for(extra, machine)}


def test_pyav_17_0_is_not_taken() -> None:
    """It has no number of threads for a graph of filters, which every film asks for."""
    (pyav,) = (one for one in map(requirements.Requirement, PROJECT["dependencies"]) if one.name == "av")
    assert not pyav.specifier.contains("17.0.1")
    assert pyav.specifier.contains("17.1.0")


def test_all_brings_what_needs_no_gpu_and_nothing_of_the_systems() -> None:
    left_out = {"all", "cuda", "dev", "docs", "gst", "pycuda", "tensorrt", "tensorrt-rtx"}
    wanted = {name for extra in set(EXTRAS) - left_out for name in names(extra, "x86_64")}
    assert names("all", "x86_64") == wanted


def test_the_readme_names_every_extra_of_a_user() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {
        extra
        for extra in set(EXTRAS) - {"dev", "docs"}
        if not re.search(rf"`{extra}`|[\[,]{extra}[\],]", text)
    } == set()


def test_no_extra_asks_for_cuda_13_where_cuda_12_is() -> None:
    assert names("tensorrt", "x86_64") >= {"tensorrt-cu12"} and "tensorrt" not in names("tensorrt", "x86_64")
    assert names("tensorrt-rtx", "x86_64") == {"tensorrt-rtx-cu12"}
    for machine in ("x86_64", "aarch64"):
        assert [text for text in asked_for("cuda", machine) if "cuda-bindings" in text and "<13" in text]


def test_gb10_gets_what_there_is_for_aarch64() -> None:
    assert names("tensorrt-rtx", "aarch64") == {"tensorrt-rtx-cu13"}
    assert not any(name.startswith("tensorrt") for name in names("tensorrt", "aarch64"))


@pytest.mark.parametrize(
    ("command", "package", "asked_before"),
    [
        ("calibrate diinn-nano --frames . -o out", "onnx", ()),
        ("export export/example.toml -o out", "onnx", ("torch",)),
        ("train export/example.toml --images . -o out.safetensors", "torch", ()),
        ("train export/example.toml --images . -o out.safetensors", "matplotlib", ("torch", "safetensors")),
    ],
)
def test_a_missing_package_is_brought_by_the_command_s_own_extra(
    command: str,
    package: str,
    asked_before: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for other in asked_before:
        pytest.importorskip(other)
    monkeypatch.chdir(ROOT)
    monkeypatch.setitem(sys.modules, package, None)
    name, *words = command.split()
    answer = Command(name, monkeypatch, capsys)(*words)
    assert answer.code == 3 and f"needs {package}" in answer.err
    assert f"pip install 'edge-sr[{name}]'" in answer.err


@pytest.mark.full
@pytest.mark.parametrize("python", ["3.10", "3.12"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_every_requirement_has_a_wheel_there(extra: str, machine: str, python: str, tmp_path: Path) -> None:
    """Asks the package index, so it needs a network; nothing is downloaded but names."""
    platforms = [word for tag in TAGS for word in ("--platform", f"{tag}_{machine}")]
    for wanted in dict.fromkeys(with_wheels(extra, machine, python)):
        fixed = ["--python-version", python, "--only-binary=:all:", "--no-deps", "--dry-run"]
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            *fixed,
            *platforms,
            "--target",
            str(tmp_path),
        ]
        done = subprocess.run([*command, wanted], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{wanted}: {done.stderr}"


@pytest.mark.full
@pytest.mark.parametrize("python", ["3.10", "3.12"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    "extras", [("export", "cuda"), ("train", "tensorrt"), ("all", "tensorrt-rtx", "cuda")]
)
def test_extras_go_together(extras: tuple[str, ...], machine: str, python: str) -> None:
    """PyTorch asks for parts of CUDA too, of one version. Asks the package index; uv resolves for other machines."""
    uv = pytest.importorskip("uv", reason="not installed: uv")
    words = [word for extra in extras for word in ("--extra", extra)]
    where = ["--python-version", python, "--python-platform", f"{machine}-manylinux_2_35"]
    command = [uv.find_uv_bin(), "pip", "compile", "-q", "pyproject.toml", *words, *where]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "torch==" in done.stdout and "cuda-bindings==12." in done.stdout
