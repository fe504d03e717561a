"""A queue that never waits: when it is full, the oldest is dropped."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Newest(Generic[Item]):
    """Between a thread that must not be held up and one that wants the newest.

    ``put`` never waits. ``accepted`` and ``dropped`` count since the last ``restart``.
    """

    def __init__(self, depth: int = 1) -> None:
        self._items: deque[Item] = deque()
        self._depth = depth
        self._changed = threading.Condition()
        self._closed = False
        self._error: BaseException | None = None
        self.accepted = 0
        self.dropped = 0

    def put(self, item: Item) -> None:
        with self._changed:
            if self._closed:
                return
            self.accepted += 1
            while len(self._items) >= self._depth:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self._changed.notify_all()

    def take(self, timeout: float) -> Item | None:
        """The oldest that is still there, or None after ``timeout`` seconds or once closed and empty.

        Raises the error that the other side closed with.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout)
            if self._items:
                return self._items.popleft()
            if self._error is not None:
                raise self._error
            return None

    def restart(self) -> None:
        """Forgets what waits and what was counted."""
        with self._changed:
            self._items.clear()
            self.accepted = self.dropped = 0

    def close(self, error: BaseException | None = None) -> None:
        """No more will come; what waits can still be taken."""
        with self._changed:
            self._closed = True
            self._error = self._error or error
            self._changed.notify_all()

    @property
    def ended(self) -> bool:
        with self._changed:
            return self._closed and not self._items
