"""The container files are sound."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from edge_sr.cli.app import COMMANDS

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted((ROOT / "docs/docker").glob("*.Dockerfile"))
INSTRUCTIONS = {"ARG", "FROM", "RUN", "ENV", "COPY", "USER", "VOLUME", "WORKDIR", "ENTRYPOINT", "CMD"}


def instructions(file: Path) -> list[tuple[str, str]]:
    lines = [line for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line) for line in joined.splitlines()]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_a_container_file_is_sound(file: Path) -> None:
    found = instructions(file)
    assert {name for name, _ in found} <= INSTRUCTIONS
    assert [name for name, _ in found[:2]] == ["ARG", "FROM"]
    assert ("USER", "USER film") in found, "engines are not loaded by root"
    for name, line in found:
        if name == "RUN":
            script = line.removeprefix("RUN ")
            assert subprocess.run(["bash", "-n", "-c", script], check=False).returncode == 0, line


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_a_containers_user_can_write_beside_the_films(file: Path) -> None:
    """Ubuntu 24.04's images hold a user 1000 already; ours would become 1001, which owns no film."""
    runs = [line for name, line in instructions(file) if name == "RUN"]
    (adding,) = (index for index, line in enumerate(runs) if "useradd" in line)
    assert "--uid 1000" in runs[adding]
    older = "l4t-jetpack:r36" in file.read_text()
    assert older or any("userdel" in line for line in runs[:adding])


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_a_container_prepares_for_no_package_that_it_does_not_install(file: Path) -> None:
    """The extra ``cuda`` is wheels alone: no driver's stub and no Python headers are needed to compile pycuda."""
    text = file.read_text()
    assert "[pycuda]" in text or not re.search("pycuda|stubs|python3-dev", text)


def test_the_services_image_is_for_every_cpu_and_no_root() -> None:
    found = instructions(ROOT / "docs/docker/service.Containerfile")
    assert [line for name, line in found if name == "FROM"] == ["FROM ${BASE} AS build", "FROM ${BASE}"]
    for name, line in found:
        if name == "RUN":
            script = line.removeprefix("RUN ")
            assert subprocess.run(["bash", "-n", "-c", script], check=False).returncode == 0, line
        assert not re.search("amd64|arm64|x86_64|aarch64", line)
    names = [name for name, _ in found]
    assert names.index("USER") < names.index("ENTRYPOINT") and "HEALTHCHECK" in names
    command = next(line for name, line in found if name == "CMD").removeprefix("CMD ")
    assert json.loads(command)[0] in COMMANDS


def test_the_data_centres_image_and_extra_are_for_one_cuda() -> None:
    text = (ROOT / "docs/docker/datacentre.Dockerfile").read_text()
    assert "nvidia/cuda:12." in text and "/src[tensorrt]" in text
    assert "tensorrt-cu12" in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("guide", ["docs/guides/jetson.md", "docs/guides/desktop.md"])
def test_the_guides_print_what_an_owner_runs(guide: str) -> None:
    assert re.search(r"^tests/gpu/first_run\.sh tensorrt(-rtx)?$", (ROOT / guide).read_text(), re.MULTILINE)
