"""Stages that overlap, each in a thread of its own, and the relays that frames take from one to the next."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class Aborted(Exception):
    """Raised in a stage when another one has failed or been stopped."""


class Relay(Generic[Item]):
    """A bounded queue between two threads that either end can close, and that counts the seconds they wait for it."""

    def __init__(self, size: int) -> None:
        self._items: deque[Item] = deque()
        self._size = size
        self._changed = threading.Condition()
        self._closed = False
        self._aborted = False
        self.error: BaseException | None = None
        self.waited_for_room = self.waited_for_items = 0.0

    def put(self, item: Item) -> None:
        """Waits for room; raises ``Aborted`` when nobody will take it."""
        with self._changed:
            self.waited_for_room += self._wait(lambda: self._aborted or len(self._items) < self._size)
            if self._aborted:
                raise Aborted
            self._items.append(item)
            self._changed.notify_all()

    def close(self) -> None:
        """No more will come; what is queued can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self, error: BaseException | None = None) -> None:
        """Drops what is queued and wakes both ends."""
        with self._changed:
            self._aborted = True
            self.error = self.error or error
            self._items.clear()
            self._changed.notify_all()

    def _wait(self, ready: Callable[[], bool]) -> float:
        began = time.perf_counter()
        self._changed.wait_for(ready)
        return time.perf_counter() - began

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self.waited_for_items += self._wait(
                    lambda: bool(self._items) or self._closed or self._aborted
                )
                if self._aborted:
                    raise Aborted
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


def stage(name: str, work: Callable[[], None], *relays: Relay[Any]) -> threading.Thread:
    """A running thread; when it fails, both relays are aborted with its error."""

    def guarded() -> None:
        try:
            work()
        except Aborted:
            pass
        except BaseException as error:
            for relay in relays:
                relay.abort(error)

    thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()
    return thread


def raise_first(*relays: Relay[Any]) -> None:
    """What went wrong in a stage, if anything did."""
    for relay in relays:
        if relay.error is not None:
            raise relay.error
