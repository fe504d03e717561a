"""Whose turn it is: an upscaler works for one thread at a time, in the process that opened it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edge_sr.errors import LifetimeError


class Turn:
    """``taken`` refuses whom ``awaited`` lets wait; both raise ``LifetimeError`` in what runs within a turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process, self._owner = os.getpid(), 0

    @property
    def is_of_parent(self) -> bool:
        """Whether this process forked since."""
        return os.getpid() != self._process

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Work for this thread; ``LifetimeError`` in a forked process, and while another thread is at work."""
        if self.is_of_parent:
            raise LifetimeError(
                "this Upscaler was opened before the process forked: open one in each process"
            )
        self._refuse_within()
        if not self._lock.acquire(blocking=False):
            raise LifetimeError("this Upscaler is at work for another thread: open one for each thread")
        try:
            self._owner = threading.get_ident()
            yield
        finally:
            self._owner = 0
            self._lock.release()

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Once nothing runs any more."""
        self._refuse_within()
        with self._lock:
            yield

    def _refuse_within(self) -> None:
        if self._owner == threading.get_ident():
            raise LifetimeError(
                "this Upscaler is under way, and waits for this very code: "
                "what gives its stream frames, or stops it, cannot use it or close it; open another"
            )
