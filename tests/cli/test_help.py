"""The help of every command: its groups, choices, examples and exit codes, and what asking for it costs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from edge_sr.cli import options
from edge_sr.cli.app import COMMANDS, load_command

HEAVY = (
    "numpy",
    "torch",
    "onnx",
    "onnxruntime",
    "openvino",
    "av",
    "PIL",
    "aiohttp",
    "matplotlib",
)
PAGES = [
    [],
    *([name] for name in COMMANDS),
    *(["engines", part] for part in ("list", "show", "verify", "prune")),
]
# Typer's words for types, ranges and arguments.
PYTHON = re.compile(r"<(bool|str|path|int|float|list)|<=x|x>=|[{}]")
INTERRUPTED = "edge-sr: interrupted; to go on, run the same command again\n"
ASK = (
    "import sys\nfrom edge_sr.cli.app import main\n"
    "sys.argv = ['edge-sr', *{words!r}, '--help']\n"
    "try:\n    main()\nexcept SystemExit:\n    pass\n"
    "print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
)


def help_of(words: list[str]) -> subprocess.CompletedProcess[str]:
    code = ASK.format(words=words, heavy=HEAVY)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_help_imports_nothing_heavy_and_ends_with_examples_and_exit_codes(words: list[str]) -> None:
    page = help_of(words)
    assert page.stderr.strip() == "[]"
    assert "Examples:" in page.stdout
    assert page.stdout.count("  edge-sr ") == 2
    assert "130 interrupted" in page.stdout
    assert not PYTHON.search(page.stdout)


def test_upscale_has_its_options_in_groups() -> None:
    page = help_of(["upscale"]).stdout
    places = [
        page.index(f"─ {group} ─") for group in (options.SIZE, options.NETWORK, options.FILM, options.RUN)
    ]
    assert places == sorted(places)
    for default in ("[default: auto]", "the one that suits the input", "x264, in WebM vp9"):
        assert default in " ".join(page.replace("│", " ").split())


def test_the_overview_lists_every_command() -> None:
    page = help_of([]).stdout
    for name, entry in COMMANDS.items():
        assert f" {name} " in page
        assert entry.panel in page


def test_choices_are_those_of_the_tables_behind_them() -> None:
    from edge_sr.backends.registry import BACKENDS
    from edge_sr.bundle import shipped_bundles
    from edge_sr.engines import target
    from edge_sr.engines.interface.loader import Flavour
    from edge_sr.video.encode.codecs import CODECS
    from edge_sr.video.opening import HARDWARE_DECODERS

    assert set(get_args(options.BackendName)) == {"auto", *BACKENDS}
    assert set(options.CODECS) == set(CODECS)
    shown = {parameter.name: str(parameter.show_default) for parameter in load_command("upscale").params}
    for codec in CODECS.values():
        name = codec.name.rpartition("_")[2]
        assert codec.crf is None or f"{name} {codec.crf}" in shown["crf"]
        assert codec.preset is None or re.search(rf"{name} (and x265 )?{codec.preset}", shown["preset"])
    assert get_args(options.DecoderName) == HARDWARE_DECODERS
    assert set(get_args(options.FlavourName)) == {flavour.value for flavour in Flavour}
    assert options.model_names() == sorted(bundle.name for bundle in shipped_bundles())
    assert options.target_names() == target.target_names()


def test_names_are_completed() -> None:
    assert options.complete_models("diinn-e") == ["diinn-edge", "diinn-edge-video"]
    assert options.complete_codecs("x") == ["x264", "x265"]
    assert options.complete_targets("l4,rtx-p") == ["l4,rtx-portable"]


def examples() -> list[str]:
    modules = (__import__(f"edge_sr.cli.{name}", fromlist=["EXAMPLES"]) for name in COMMANDS)
    return [example for module in modules for example in module.EXAMPLES]


@pytest.mark.parametrize("line", examples())
def test_an_example_is_understood(line: str) -> None:
    _, name, *words = shlex.split(line)
    command = load_command(name)
    context = command.make_context(name, list(words))
    if hasattr(command, "commands"):
        command.commands[words[0]].make_context(words[0], words[1:], parent=context)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--backend", "tensorflow"], "native"),
        (["--precision", "fp8"], "bf16"),
        (["--hwaccel", "vaapi"], "cuda"),
        (["--threads", "0"], "than or equal to 1"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused_with_those_that_do(words: list[str], said: str) -> None:
    command = [sys.executable, "-m", "edge_sr", "upscale", "film.mp4", "--scale", "2", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("edge-sr: ")
    assert done.stderr.count("\n") == 1
    assert words[0] in done.stderr
    assert done.stderr.endswith("see: edge-sr upscale --help\n")
    assert said in done.stderr


@pytest.mark.parametrize("words", [["--scale"], ["film.mp4", "--scale"], ["film.mp4", "--nothing"]])
def test_a_wrong_line_names_the_help_of_its_command(words: list[str]) -> None:
    command = [sys.executable, "-m", "edge_sr", "upscale", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.endswith("see: edge-sr upscale --help\n")


def test_the_page_of_commands_is_the_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "docs"))
    page = __import__("hooks").commands()
    assert "$ edge-sr upscale [OPTIONS] INPUT...\n" in page
    assert not PYTHON.search(page)
    assert not re.search(r"^\*.*\.\.\.$", page, re.MULTILINE), "a sentence is cut off"


def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    command = [sys.executable, "-m", "edge_sr", "upscal"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown command 'upscal'; did you mean upscale?" in done.stderr


@pytest.mark.parametrize("place", ["hide_secrets", "importlib.import_module"])
def test_ctrl_c_at_the_very_beginning_ends_without_a_traceback(place: str) -> None:
    code = (
        "import sys\nfrom edge_sr.cli import app\n"
        "def interrupted(*_, **__):\n    raise KeyboardInterrupt\n"
        f"app.{place} = interrupted\nsys.argv = ['edge-sr', 'models']\napp.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == INTERRUPTED


def test_ctrl_c_that_foreign_code_swallows_comes_again() -> None:
    code = (
        "import sys, time\nfrom edge_sr.cli import app\n"
        "class Swallowing:\n    def __del__(self):\n        raise KeyboardInterrupt\n"
        "def swallowed(*_, **__):\n    Swallowing()\n    time.sleep(30)\n"
        "app.hide_secrets = swallowed\nsys.argv = ['edge-sr', 'models']\napp.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == INTERRUPTED
