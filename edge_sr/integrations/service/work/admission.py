"""Who may come in, and whose turn it is: a bounded queue, and a word to those who are sent away."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Literal

from edge_sr.integrations.service.problems import Refusal

Kind = Literal["picture", "film"]
LONGEST_RETRY = 120
# How much the newest job counts in the mean of how long one takes.
NEWEST = 0.2


class Admission:
    """``at_once`` jobs work, ``queue`` more are in the house. All calls come from the server's loop.

    Of several turns, one is always left to pictures, so that films, which take long, do not keep them waiting.
    """

    def __init__(self, at_once: int, queue: int) -> None:
        self._at_once, self._most = at_once, at_once + queue
        self._turns = asyncio.Semaphore(at_once)
        self._films = asyncio.Semaphore(max(1, at_once - 1))
        self._mean = 1.0
        self.inside = self.working = 0

    @property
    def waiting(self) -> int:
        """Those inside who do not work: they upload, wait for their turn, or take their answer."""
        return self.inside - self.working

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the house; ``Refusal`` 429, which says when to come again, when all are taken."""
        if self.inside >= self._most:
            seconds = min(LONGEST_RETRY, max(1, math.ceil(self._mean * self.inside / self._at_once)))
            raise Refusal(
                429,
                f"{self.inside} requests are being worked on or wait already: try again in {seconds} s",
                {"Retry-After": str(seconds)},
            )
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    @asynccontextmanager
    async def turn(self, kind: Kind) -> AsyncIterator[None]:
        """Waits for a turn to work, first come, first served within each kind."""
        if kind == "film":
            async with self._films, self._turns:
                yield
            return
        async with self._turns:
            yield

    @contextmanager
    def work(self) -> Iterator[None]:
        """Counts a job as one that works, and how long it takes."""
        began = time.monotonic()
        self.working += 1
        try:
            yield
        finally:
            self.working -= 1
            self._mean += NEWEST * (time.monotonic() - began - self._mean)
