"""Who is told how a run goes on."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Told how a run goes on."""

    def say(self, text: str) -> None:
        """A note or a warning, one line."""

    def begin(self, total: int, done: int) -> None:
        """``total`` frames are expected (0: nobody knows), of which ``done`` were there already."""

    def frame(self, done: int, fps: float) -> None:
        """So many frames are through the network, at this pace."""

    def end(self) -> None:
        """No more frames will come."""


class Silent:
    """A watcher that keeps it all to itself."""

    def say(self, text: str) -> None:
        del text

    def begin(self, total: int, done: int) -> None:
        del total, done

    def frame(self, done: int, fps: float) -> None:
        del done, fps

    def end(self) -> None:
        return
