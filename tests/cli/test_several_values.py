"""``--frames A B`` and ``--images A B``, as a shell spells ``*`` out, wherever they stand in the line."""

from __future__ import annotations

from typing import Any

import pytest

from edge_sr.cli import app
from edge_sr.cli.app import load_command
from edge_sr.cli.several_values import spelled_out


@pytest.mark.parametrize(
    ("line", "bundle", "frames"),
    [
        ("mine --frames a", "mine", ["a"]),
        ("mine --frames a b c -o new", "mine", ["a", "b", "c"]),
        ("mine --frames=a b --json", "mine", ["a", "b"]),
        ("mine --frames a b --frames c", "mine", ["a", "b", "c"]),
        ("-o new mine --resume --frames a b", "mine", ["a", "b"]),
        ("--frames a b mine", "mine", ["a", "b"]),
        ("--frames a b -o new mine", "mine", ["a", "b"]),
        ("--frames a mine -o new", "mine", ["a"]),
    ],
)
def test_each_word_goes_where_it_belongs(line: str, bundle: str, frames: list[str]) -> None:
    command = load_command("calibrate")
    found = command.make_context("calibrate", spelled_out(command, line.split())).params
    assert (found["bundle"], [str(one) for one in found["frames"]]) == (bundle, frames)


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("calibrate diinn-nano --frames a b -o new", "frames"),
        ("train mine.toml --images a b -o new.safetensors", "images"),
    ],
)
def test_the_commands_take_several(monkeypatch: pytest.MonkeyPatch, line: str, option: str) -> None:
    seen: list[list[str]] = []

    def spied(name: str) -> Any:
        command = load_command(name)
        command.invoke = lambda context: seen.append([str(one) for one in context.params[option]])
        return command

    monkeypatch.setattr(app, "load_command", spied)
    app.app(line.split(), prog_name="edge-sr", standalone_mode=False)
    assert seen == [["a", "b"]]
