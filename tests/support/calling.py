"""Calling the command line in this process, as the console script does."""

from __future__ import annotations

import json
import sys
from typing import IO, Any, NamedTuple

import pytest

from edge_sr.cli.app import main


class Answer(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON object and nothing else."""
        return json.loads(self.out)


class Command:
    """``edge-sr NAME`` with the words given."""

    def __init__(
        self, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._name, self._patch, self._streams = name, monkeypatch, capsys

    def __call__(self, *words: object) -> Answer:
        self._patch.setattr(sys, "argv", ["edge-sr", self._name, *map(str, words)])
        self._streams.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        streams = self._streams.readouterr()
        return Answer(int(ended.value.code or 0), streams.out, streams.err)


def heard(stream: IO[Any] | None) -> Any:
    """The next line that a command says; notes depend on the machine."""
    assert stream is not None
    mark = "note: "
    return next(
        line for line in stream if not line.startswith(mark if isinstance(line, str) else mark.encode())
    )
