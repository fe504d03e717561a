"""C objects that several threads share: one is freed when the last call into it has returned."""

from __future__ import annotations

import abc
import ctypes
import os
import threading
import time
from collections.abc import Callable

from edge_sr.backends.base import Closable
from edge_sr.errors import LifetimeError

POLL_SECONDS = 0.001


class Calls:
    """Counts the calls into ``part`` that are under way; after ``end`` there are no more."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._running: set[object] = set()
        self._ended = False
        self._ending = threading.Lock()
        self._process = os.getpid()

    def one(self, call: Callable[[], int]) -> int:
        """What ``call`` gives; ``LifetimeError`` after ``end``."""
        running = object()
        # Ctrl-C may come between any two calls of Python's: each step is a single one, and no context manager.
        try:
            self._running.add(running)
            if self._ended:
                raise LifetimeError(f"the native {self._part} was closed: create another")
            return call()
        finally:
            self._running.discard(running)

    def end(self) -> bool:
        """Admits no further call and waits for those under way; whether this was the first to end them."""
        if os.getpid() != self._process:
            # The calls that a fork found under way are the parent's, and their lock may be held for ever.
            first, self._ended = not self._ended, True
            return first
        with self._ending:
            first, self._ended = not self._ended, True
            while self._running:
                time.sleep(POLL_SECONDS)
            return first


class NativePart(Closable):
    """A C object behind a handle: use as a context manager or call ``close``, which waits for the calls under way."""

    def __init__(self, part: str) -> None:
        self._handle: ctypes.c_void_p | None = None
        self._calls = Calls(part)

    @abc.abstractmethod
    def _free(self, handle: ctypes.c_void_p) -> None: ...

    def close(self) -> None:
        """Frees weights and working memory when the calls under way have returned; closing twice is harmless."""
        if self._calls.end() and self._handle is not None:
            self._free(self._handle)

    def __del__(self) -> None:
        # One that never came to be has nothing to free.
        if hasattr(self, "_calls"):
            self.close()
