"""Runs of ``upscale`` as most tests make them: the smallest network, and on a backend that every install has."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.upscale.run.report import Report
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.run.watcher import Silent
from edge_sr.upscale.upscale import upscale


def nano_request(source: Path | str, output: Path | None = None, **more: Any) -> Request:
    """Without ``scale`` or ``size`` the output is as large as the input."""
    size = {} if "size" in more else {"scale": Fraction(1)}
    # Two runs that are compared must not choose for themselves.
    network = {"model": "diinn-nano", "backend": "onnxruntime", "precision": "fp32"}
    return Request(str(source), output, **{**size, **network, **more})


def run(source: Path | str, output: Path | None = None, **more: Any) -> Report:
    """The report of such a run."""
    return upscale(nano_request(source, output, **more))


class Listener(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


class At(Silent):
    """Acts once, when so many frames are done."""

    def __init__(self, frames: int, act: Callable[[], object]) -> None:
        self._frames, self._act = frames, act

    def frame(self, done: int, fps: float) -> None:
        if done >= self._frames:
            act, self._act = self._act, lambda: None
            act()
