"""How a run goes on, told on stderr: a live line on a terminal, a plain one now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_sr.upscale.run.watcher import Share

PLAIN_SECONDS = 5.0
LIVE_SECONDS = 0.1
# The row of all frames, above those of films and nodes.
WHOLE = ""

# Its name, frames done, of how many in all (0: nobody knows), and what stands beside the bar.
Row = tuple[str, int, int, str]


def say(text: str) -> None:
    """A line of talk, seen at once."""
    print(text, file=sys.stderr, flush=True)


class Talker:
    """A watcher of runs that writes to stderr."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}
        self._shares: Sequence[Share] = ()
        self._total = 0
        self._told = time.monotonic()

    def say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            say(text)

    def begin(self, total: int, done: int) -> None:
        self._total = total
        if done:
            self.say(f"going on after {done} frames")
        if self._live:
            self._open(total, done)

    def shares(self, shares: Sequence[Share]) -> None:
        self._shares = shares

    def frame(self, done: int, fps: float) -> None:
        now = time.monotonic()
        if now - self._told < (LIVE_SECONDS if self._live else PLAIN_SECONDS):
            return
        self._told = now
        line = progress_line(done, self._total, fps)
        if self._bar is not None:
            self._draw([(WHOLE, done, self._total, line), *map(self._row, self._shares)])
        else:
            shares = ", ".join(f"{share.name} {share.done}" for share in self._shares)
            self.say("; ".join(filter(None, (line, shares))))

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar, self._tasks, self._shares = None, {}, ()

    def _open(self, total: int, done: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (BarColumn(bar_width=30), TextColumn("{task.description}", markup=False))
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._draw([(WHOLE, done, total, "")])
        self._bar.start()

    def _row(self, share: Share) -> Row:
        """A film's bar shows how much of it is done, a node's how much of everything it did."""
        line = f"{share.name}: {progress_line(share.done, share.total, share.fps)}"
        return share.name, share.done, share.total or self._total, line

    def _draw(self, rows: Sequence[Row]) -> None:
        """A bar for each row; those of films that ended go."""
        for name in self._tasks.keys() - {name for name, *_ in rows}:
            self._bar.remove_task(self._tasks.pop(name))
        for name, done, total, line in rows:
            if name not in self._tasks:
                self._tasks[name] = self._bar.add_task("", total=total or None)
            self._bar.update(self._tasks[name], completed=done, total=total or None, description=line)


def progress_line(done: int, total: int, fps: float) -> str:
    """``120 of 240 frames, 24.0 frames/s, 0:00:05 left``; without a total just the first two."""
    if total <= 0:
        return f"{done} frames, {fps:.1f} frames/s"
    left = max(0, total - done) / fps if fps > 0 else 0.0
    return f"{done} of {total} frames, {fps:.1f} frames/s, {clock(left)} left"


def clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
