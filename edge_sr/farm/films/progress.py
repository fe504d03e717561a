"""How far a film is: whole pieces and those under way, each counted once, however many tasks are at it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection

from edge_sr.farm.films.job import PieceMade, Progressed
from edge_sr.farm.films.queue import Run
from edge_sr.upscale.making.maker import NodeShare
from edge_sr.upscale.run.watcher import Share


class FilmProgress:
    """Of a film in pieces of ``length`` frames, about ``frames`` in all (0: nobody knows), of which an earlier run made
    those numbered ``present``."""

    def __init__(self, length: int, frames: int, present: Collection[int]) -> None:
        self._length = length
        self._resumed = {number: self._about(number, frames) for number in present}
        self._made: dict[int, tuple[str, int]] = {}
        self._pieces: Counter[str] = Counter()
        self._frames: Counter[str] = Counter()
        self._under_way: dict[Run, dict[int, int]] = {}
        self._began = time.monotonic()

    def _about(self, number: int, frames: int) -> int:
        """The frames of a piece that is there already, until the film's packets tell them."""
        return max(0, min(self._length, frames - number * self._length)) if frames else self._length

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def resumed(self) -> int:
        """Frames of an earlier run."""
        return sum(self._resumed.values())

    @property
    def made(self) -> int:
        """Frames of the whole pieces of this run."""
        return self._frames.total()

    @property
    def nodes(self) -> list[NodeShare]:
        """Who made these pieces."""
        return [NodeShare(host, self._pieces[host], self._frames[host]) for host in sorted(self._pieces)]

    @property
    def shares(self) -> list[Share]:
        """What each node has done so far, with what it has under way."""
        done = self._frames + self._by_host()
        pace = 1 / max(self.seconds, 1e-3)
        return [Share(host, done[host], done[host] * pace) for host in sorted(done)]

    def present(self, piece: int, frames: int) -> None:
        """A piece of an earlier run has so many frames; one of this run is counted already."""
        if piece not in self._made:
            self._resumed[piece] = frames

    def take(self, run: Run, piece: PieceMade) -> None:
        self._made[piece.number] = run.host, piece.frames
        self._pieces[run.host] += 1
        self._frames[run.host] += piece.frames

    def drop(self, piece: int) -> None:
        """A piece turned out to be none of the film's."""
        self._resumed.pop(piece, None)
        if piece in self._made:
            host, frames = self._made.pop(piece)
            self._pieces[host] -= 1
            self._frames[host] -= frames

    def progressed(self, run: Run, told: Progressed) -> None:
        """Takes note of how far a task is with each of its pieces, which it makes in order."""
        shares = self._under_way[run] = {}
        number, left = told.first, told.frames
        while left > 0:
            shares[number] = min(left, self._length)
            number, left = number + 1, left - self._length

    def forget(self, run: Run) -> None:
        """The task is over: what it had not finished is not there."""
        self._under_way.pop(run, None)

    def _by_host(self) -> Counter[str]:
        """Frames under way, those of a piece at the node that is furthest with it."""
        furthest: dict[int, tuple[int, str]] = {}
        for run, shares in self._under_way.items():
            for number, share in shares.items():
                if number not in self._made:
                    furthest[number] = max((share, run.host), furthest.get(number, (0, "")))
        found: Counter[str] = Counter()
        for share, host in furthest.values():
            found[host] += share
        return found
