"""The documentation holds: its commands are understood, its links lead somewhere, its programs run."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.bundle import shipped_bundles
from edge_sr.cli.app import COMMANDS, load_command
from edge_sr.engines.target import target_names

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")])
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PLACEHOLDER_COMMANDS = {"COMMAND"}


def blocks(page: Path, *languages: str) -> list[str]:
    found = FENCED.findall(page.read_text(encoding="utf-8"))
    return [text for language, text in found if language in languages]


def command_lines(page: Path) -> Iterator[str]:
    """Lines of code blocks, code within sentences and tables, and what is run in a container."""
    for block in blocks(page, "", "sh", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            in_container = re.search(r"docker run .* edge-sr:\w+ (.+)", line)
            if in_container:
                yield f"edge-sr {in_container[1]}"
            elif found := re.match(r"(?:\$ )?(?:\.venv/bin/)?(edge-sr .*)", line):
                yield found[1]
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    yield from (" ".join(code.split()) for code in re.findall(r"`(edge-sr [^`]+)`", prose))


def all_commands() -> list[str]:
    """Every command of every page, without comments, pipes, redirections and the dots of what is left out."""
    lines = {line for page in PAGES for line in command_lines(page)}
    return sorted({re.sub(r"( \.\.\.| > \S+| +# .*| +\| .*)+$", "", line) for line in lines})


@pytest.mark.parametrize("line", all_commands())
def test_a_command_is_understood(line: str) -> None:
    words = shlex.split(line)[1:]
    if words[0].startswith("-") or words[0] in PLACEHOLDER_COMMANDS:
        return
    name, *words = words
    assert name in COMMANDS
    command = load_command(name)
    # Named in passing, with or without an option: there is nothing to parse.
    if not words or words[0].startswith("--"):
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options | {"--help"}
        return
    context = command.make_context(name, list(words))
    if hasattr(command, "commands"):
        context = command.commands[words[0]].make_context(words[0], words[1:], parent=context)
    named = {
        name for name in (context.params.get("target") or "auto").split(",") if not name.endswith(".toml")
    }
    assert named <= {"auto", "NAME", *target_names()}
    given = context.params.get("model") or ()
    known = {bundle.name for bundle in shipped_bundles()} | own_bundles()
    assert all(model in known or model.isupper() for model in ([given] if isinstance(given, str) else given))


def own_bundles() -> set[str]:
    """Bundles that the pages make themselves, by ``-o``."""
    made = (re.search(r"edge-sr (?:export|calibrate) .*-o (\S+)", line) for line in all_commands())
    return {found[1] for found in made if found}


def test_the_pages_have_commands() -> None:
    assert len(all_commands()) > 60


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text(encoding="utf-8"))):
        if "://" in link or link.startswith("#"):
            continue
        target, _, anchor = link.partition("#")
        path = page.parent / target
        assert path.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles
            }, link


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_shell_is_valid_shell(page: Path) -> None:
    script = "\n".join(blocks(page, "sh"))
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name
)
def test_python_runs(page: Path) -> None:
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_files_that_pages_name_exist(page: Path) -> None:
    named = re.findall(
        r"`((?:edge_sr|export|calibration|engines|benchmarks|tests|docs|native|examples)/[\w./-]+\.\w+)`",
        page.read_text(encoding="utf-8"),
    )
    missing = [name for name in named if "NAME" not in name and not (ROOT / name).exists()]
    assert missing == []


def test_the_site_lists_every_page() -> None:
    listed = set(re.findall(r"[\w./-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert listed == {
        str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")
    }


def test_the_readme_is_narrow() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 110] == []


def test_the_picture_of_packages_is_the_import_contract() -> None:
    spec = importlib.util.spec_from_file_location("packages", ROOT / "docs/images/packages.py")
    assert spec is not None and spec.loader is not None
    packages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(packages)
    drawn = (ROOT / "docs/images/packages.svg").read_text(encoding="utf-8")
    assert packages.draw(packages.layers()) == drawn, "draw it again: python docs/images/packages.py"
