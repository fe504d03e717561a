"""How a run's progress is shown: a bar for each film and node on a terminal, a line elsewhere."""

from __future__ import annotations

import io
import re
import sys

import pytest

from edge_sr.cli.terminal import progress
from edge_sr.cli.terminal.progress import Talker
from edge_sr.upscale.run.watcher import Share

SHARES = [Share("b.mkv", 30, 3.0, 60), Share("one", 70, 7.0), Share("two", 20, 2.0)]
LINES = [
    "90 of 240 frames, 9.0 frames/s, 0:00:17 left",
    "b.mkv: 30 of 60 frames, 3.0 frames/s, 0:00:10 left",
    "one: 70 frames, 7.0 frames/s",
    "two: 20 frames, 2.0 frames/s",
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    monkeypatch.setattr(progress, "LIVE_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    talker = Talker()
    talker.begin(240, 0)
    talker.shares([Share("a.mkv", 1, 1.0, 5), *SHARES])
    talker.frame(60, 6.0)
    talker.shares(SHARES)
    talker.frame(90, 9.0)
    talker.end()
    return stream.getvalue()


def test_on_a_terminal_each_film_and_node_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown(Terminal(), monkeypatch))
    last = [line.lstrip("━╸╺ ").rstrip() for line in text.splitlines() if "━" in line][-4:]
    assert last == LINES


def test_elsewhere_they_share_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    last = shown(io.StringIO(), monkeypatch).splitlines()[-1]
    assert last == f"{LINES[0]}; b.mkv 30, one 70, two 20"
