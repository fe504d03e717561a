"""The guides' commands are understood by the real command line, and the container files are sound."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.bundle import shipped_bundles
from edge_sr.cli.app import COMMANDS, load_command
from edge_sr.engines.target import target_names

ROOT = Path(__file__).parents[2]
GUIDES = ["docs/guides/jetson.md", "docs/guides/desktop.md", "docs/guides/fleet.md"]
DOCKERFILES = sorted((ROOT / "docs/docker").glob("*.Dockerfile"))
INSTRUCTIONS = {"ARG", "FROM", "RUN", "ENV", "COPY", "USER", "VOLUME", "WORKDIR", "ENTRYPOINT", "CMD"}


def shell_lines(guide: str) -> Iterator[str]:
    for block in re.findall(r"```sh\n(.*?)```", (ROOT / guide).read_text(), re.DOTALL):
        yield from block.splitlines()


def commands() -> list[str]:
    return sorted({command for guide in GUIDES for command in _commands(guide)})


def _commands(guide: str) -> Iterator[str]:
    """Lines of their own, in code within a sentence or a table, and what is run in a container."""
    for line in shell_lines(guide):
        in_container = re.search(r"docker run .* edge-sr:\w+ (.+)", line)
        if line.startswith("edge-sr ") or in_container:
            yield f"edge-sr {in_container[1]}" if in_container else line
    prose = re.sub(r"```.*?```", "", (ROOT / guide).read_text(), flags=re.DOTALL)
    yield from (re.sub(r" \.\.\.$", "", code) for code in re.findall(r"`(edge-sr [^`]+)`", prose))


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_guides_is_parsed_by_the_real_command_line(line: str) -> None:
    _, name, *words = shlex.split(line)
    assert name in COMMANDS
    command = load_command(name)
    context = command.make_context(name, list(words))
    if hasattr(command, "commands"):
        sub = command.commands[words[0]]
        context = sub.make_context(words[0], words[1:], parent=context)
    targets = (context.params.get("target") or "auto").split(",")
    assert set(targets) <= {"auto", *target_names()}
    assert context.params.get("bundle") in (None, *(bundle.name for bundle in shipped_bundles()))


def test_the_guides_have_commands() -> None:
    assert len(commands()) > 15


@pytest.mark.parametrize("guide", GUIDES)
def test_every_block_is_valid_shell(guide: str) -> None:
    import subprocess

    script = "\n".join(shell_lines(guide))
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("guide", GUIDES)
def test_files_and_links_exist(guide: str) -> None:
    text = (ROOT / guide).read_text()
    for path in re.findall(r"(?:docs/docker|tests/gpu)/[\w.-]+\.(?:Dockerfile|py)", text):
        assert (ROOT / path).is_file(), path
    for link in re.findall(r"\]\(([\w./-]+)\)", text):
        assert ((ROOT / guide).parent / link).is_file(), link


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
            import subprocess

            script = line.removeprefix("RUN ")
            assert subprocess.run(["bash", "-n", "-c", script], check=False).returncode == 0, line
