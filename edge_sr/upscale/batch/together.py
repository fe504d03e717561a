"""Several films at a time, for a cluster: what each does is said with its name, and progress is that of all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from edge_sr.upscale.run.watcher import Watcher

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
    """Passes on to one watcher what several runs tell at the same time."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.turn = threading.Lock()
        self._began = time.monotonic()
        self._done: dict[str, int] = {}
        watcher.begin(0, 0)

    def told(self, name: str, frames: int) -> None:
        """So many frames of that film were made by this run."""
        self._done[name] = frames
        total = sum(self._done.values())
        self.watcher.frame(total, total / max(time.monotonic() - self._began, 1e-3))


class FilmOnBoard:
    """The watcher of one film among several."""

    def __init__(self, board: Board, name: str) -> None:
        self._board, self._name, self._there = board, name, 0

    def say(self, text: str) -> None:
        with self._board.turn:
            self._board.watcher.say(f"{self._name}: {text}")

    def begin(self, total: int, done: int) -> None:
        self._there = done

    def frame(self, done: int, fps: float) -> None:
        with self._board.turn:
            self._board.told(self._name, done - self._there)

    def end(self) -> None:
        return
