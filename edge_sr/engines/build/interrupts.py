"""Ctrl-C while TensorRT works: it calls Python back, and swallows what is raised there."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def held_back() -> Iterator[threading.Event]:
    """Yields an event that Ctrl-C sets; ``KeyboardInterrupt`` comes at the end, or at once with a second Ctrl-C.

    In another thread than the main one, which gets no signals, nothing is held back.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    earlier = signal.getsignal(signal.SIGINT)

    def note(_number: int, _frame: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, earlier)

    signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, earlier)
        if asked.is_set():
            raise KeyboardInterrupt
