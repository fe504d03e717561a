"""Whose turn it is: an upscaler works for one thread at a time, in the process that opened it."""

from __future__ import annotations

import os
import threading

from edge_sr.errors import LifetimeError


class Turn:
    """``taken`` refuses whom ``awaited`` lets wait; both raise ``LifetimeError`` in what runs within a turn.

    Both give the lock itself, for ``with``: Ctrl-C may end a context manager of Python's before it has let go.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process, self._owner = os.getpid(), 0

    @property
    def is_of_parent(self) -> bool:
        """Whether this process forked since."""
        return os.getpid() != self._process

    def taken(self) -> threading.Lock:
        """For work, which first says that it ``began``, as closing does.

        ``LifetimeError`` in a forked process, and while another thread is at work.
        """
        if self.is_of_parent:
            raise LifetimeError(
                "this Upscaler was opened before the process forked: open one in each process"
            )
        self._refuse_within()
        if self._lock.locked():
            raise LifetimeError("this Upscaler is at work for another thread: open one for each thread")
        return self._lock

    def began(self) -> None:
        """This thread has the turn."""
        self._owner = threading.get_ident()

    def awaited(self) -> threading.Lock:
        """Once nothing runs any more."""
        self._refuse_within()
        return self._lock

    def _refuse_within(self) -> None:
        if self._lock.locked() and self._owner == threading.get_ident():
            raise LifetimeError(
                "this Upscaler is under way, and waits for this very code: "
                "what gives its stream frames, or stops it, cannot use it or close it; open another"
            )
