"""How a run goes on, told on stderr: a live line on a terminal, a plain one now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

PLAIN_SECONDS = 5.0
LIVE_SECONDS = 0.1


class Talker:
    """A watcher of runs that writes to stderr."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None
        self._total = 0
        self._told = time.monotonic()

    def say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def begin(self, total: int, done: int) -> None:
        self._total = total
        if done:
            self.say(f"going on after {done} frames")
        if self._live:
            self._open(total, done)

    def frame(self, done: int, fps: float) -> None:
        now = time.monotonic()
        if now - self._told < (LIVE_SECONDS if self._live else PLAIN_SECONDS):
            return
        self._told = now
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=progress_line(done, self._total, fps))
        else:
            self.say(progress_line(done, self._total, fps))

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _open(self, total: int, done: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (BarColumn(bar_width=30), TextColumn("{task.description}", markup=False))
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=total or None, completed=done)
        self._bar.start()


def progress_line(done: int, total: int, fps: float) -> str:
    """``120 of 240 frames, 24.0 frames/s, 0:00:05 left``; without a total just the first two."""
    if total <= 0:
        return f"{done} frames, {fps:.1f} frames/s"
    left = max(0, total - done) / fps if fps > 0 else 0.0
    return f"{done} of {total} frames, {fps:.1f} frames/s, {clock(left)} left"


def clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
