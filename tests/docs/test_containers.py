"""The container files are sound."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

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
