"""Several films at a time, for a cluster: what each does is said with its name, and progress is that of all."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from edge_sr.upscale.run.watcher import Share, Watcher

Job = TypeVar("Job")


def work_together(jobs: Iterable[Job], work: Callable[[Job], None], at_once: int) -> None:
    """Has ``work`` done for all jobs, so many at a time; after an error no more are begun, and it is raised."""
    waiting, turn, ended = iter(jobs), threading.Lock(), threading.Event()

    def take() -> None:
        while not ended.is_set():
            with turn:
                job = next(waiting, None)
            if job is None:
                return
            try:
                work(job)
            except BaseException:
                ended.set()
                raise

    with ThreadPoolExecutor(at_once, thread_name_prefix="film") as pool:
        futures = [pool.submit(take) for _ in range(at_once)]
    for future in futures:
        future.result()


class Board:
    """Passes on to one watcher what several runs tell at the same time: all frames, each film's and each node's."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.turn = threading.Lock()
        self._began = time.monotonic()
        self._films: dict[str, Share] = {}
        self._done: Counter[str] = Counter()
        self._nodes: dict[str, Sequence[Share]] = {}
        watcher.begin(0, 0)

    def told(self, film: Share, made: int) -> None:
        """Of a film that is under way this run has made so many frames."""
        self._films[film.name], self._done[film.name] = film, made
        self.watcher.shares([*self._films.values(), *self._by_node()])
        self.watcher.frame(self._done.total(), self._done.total() * self._pace)

    def made_by(self, name: str, nodes: Sequence[Share]) -> None:
        """Who made what of that film."""
        self._nodes[name] = nodes

    def over(self, name: str) -> None:
        """Nothing more is told of that film."""
        self._films.pop(name, None)

    @property
    def _pace(self) -> float:
        return 1 / max(time.monotonic() - self._began, 1e-3)

    def _by_node(self) -> list[Share]:
        done: Counter[str] = Counter()
        for nodes in self._nodes.values():
            for node in nodes:
                done[node.name] += node.done
        return [Share(name, done[name], done[name] * self._pace) for name in sorted(done)]


class FilmOnBoard:
    """The watcher of one film among several."""

    def __init__(self, board: Board, name: str) -> None:
        self._board, self._name = board, name
        self._there = self._total = 0

    def say(self, text: str) -> None:
        with self._board.turn:
            self._board.watcher.say(f"{self._name}: {text}")

    def begin(self, total: int, done: int) -> None:
        self._total, self._there = total, done

    def frame(self, done: int, fps: float) -> None:
        with self._board.turn:
            self._board.told(Share(self._name, done, fps, self._total), done - self._there)

    def shares(self, shares: Sequence[Share]) -> None:
        with self._board.turn:
            self._board.made_by(self._name, shares)

    def end(self) -> None:
        with self._board.turn:
            self._board.over(self._name)
