"""Who is told how a run goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol


@dataclasses.dataclass(frozen=True)
class Share:
    """What a node of a cluster, or one film of several, has done: ``done`` frames at ``fps``; ``total``: of how many,
    0 where nobody knows."""

    name: str
    done: int
    fps: float
    total: int = 0


class Watcher(Protocol):
    """Told how a run goes on."""

    def say(self, text: str) -> None:
        """A note or a warning, one line."""

    def begin(self, total: int, done: int) -> None:
        """``total`` frames are expected (0: nobody knows), of which ``done`` were there already."""

    def frame(self, done: int, fps: float) -> None:
        """So many frames are through the network, at this pace."""

    def shares(self, shares: Sequence[Share]) -> None:
        """Who made the frames that are told next, where that is not this process alone."""

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

    def shares(self, shares: Sequence[Share]) -> None:
        del shares

    def end(self) -> None:
        return


class Words(Silent):
    """Passes on to ``watcher`` what is said, a ``name`` in it replaced by another, and keeps progress to itself."""

    def __init__(self, watcher: Watcher, name: str = "", shown: str = "") -> None:
        self._watcher, self._name, self._shown = watcher, name, shown

    def say(self, text: str) -> None:
        self._watcher.say(text.replace(self._name, self._shown))
