"""One open page: what it looks at, and how its pictures reach it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from edge_sr.camera.page.views import View

# Messages that may be on their way to a viewer who has not said that they are drawn.
UNDRAWN = 2

Send = Callable[[bytes], None]
Tell = Callable[[dict[str, Any]], None]


class InOrder:
    """Hands on numbered messages, from 1, in their order; ``None`` for one that there will never be.

    Pictures are painted side by side, and a small one that came later may be done sooner.
    """

    def __init__(self, send: Send) -> None:
        self._send, self._next = send, 1
        self._waiting: dict[int, bytes | None] = {}
        self._lock = threading.Lock()

    def put(self, number: int, message: bytes | None) -> None:
        with self._lock:
            self._waiting[number] = message
            while self._next in self._waiting:
                ready = self._waiting.pop(self._next)
                self._next += 1
                if ready is not None:
                    self._send(ready)


class Viewer:
    """One open page. The server's thread sets ``view`` and counts; the network's thread reads them."""

    def __init__(self, send: Send, tell: Tell) -> None:
        self.pictures, self.tell = InOrder(send), tell
        self.view: View | None = None
        self.moved = False
        self.sent = self.drawn = 0
        self.served = 0.0

    @property
    def ready(self) -> bool:
        # A new view need not wait until the old one's pictures are through.
        room = UNDRAWN + 1 if self.moved else UNDRAWN
        return self.view is not None and self.sent - self.drawn < room

    def look(self, view: View) -> None:
        self.view, self.moved = view, True

    def acknowledge(self, number: int) -> None:
        self.drawn = max(self.drawn, min(number, self.sent))
