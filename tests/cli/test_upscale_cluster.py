"""What ``--cluster`` refuses before any cluster is joined."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.calling import Command
from support.films import Making, make_film


@pytest.fixture
def upscale(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    make_film(tmp_path / "film.mkv", Making(size=(32, 24), frames=3))
    monkeypatch.chdir(tmp_path)
    # As if Ray were not installed: none of these may get so far.
    monkeypatch.setitem(sys.modules, "ray", None)
    return Command("upscale", monkeypatch, capsys)


def test_without_ray_it_says_what_to_install(upscale: Command) -> None:
    answer = upscale("film.mkv", "--scale", "2", "--cluster", "local:2")
    assert answer.code == 3
    assert answer.err.count("\n") == 1
    assert "edge-sr[farm]" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cluster", "local:0"), "number of pieces"),
        (("--cluster", "local:many"), "number of pieces"),
        (("--cluster", "somewhere"), "HOST:PORT"),
        (("--cluster", "ray://somewhere:10001"), "ray start --address"),
        (("--cluster", "local", "--dry-run"), "--dry-run"),
        (("--allow-mixed",), "needs --cluster"),
    ],
)
def test_contradictions_are_refused(upscale: Command, words: tuple[str, ...], said: str) -> None:
    answer = upscale("film.mkv", "--scale", "2", *words)
    assert answer.code == 2
    assert said in answer.err


def test_a_secret_in_an_address_is_not_shown(upscale: Command) -> None:
    answer = upscale("film.mkv", "--scale", "2", "--cluster", "ray://someone:open-sesame@head")
    assert answer.code == 2
    assert "sesame" not in answer.err + answer.out
