"""How many connections a server holds open, and for how long each may keep it waiting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

MOST_CONNECTIONS = 128
# A browser opens six at most; several may sit behind one address.
MOST_FROM_ONE_ADDRESS = 64
# From the first byte to the end of a request's headers.
HEADER_SECONDS = 10.0
# Between two requests, and for taking what an answer still holds back.
IDLE_SECONDS = 60.0


class Connections:
    """The open connections. All calls come from the server's loop.

    A connection without a whole request is dropped after ``header_seconds``, one between two requests after
    ``idle_seconds``. Beyond the caps a new one is dropped at once.
    """

    def __init__(
        self,
        protocol: Callable[[], Any],
        *,
        most: int = MOST_CONNECTIONS,
        most_from_one: int = MOST_FROM_ONE_ADDRESS,
        header_seconds: float = HEADER_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._protocol = protocol
        self._most, self._most_from_one = most, most_from_one
        self.header_seconds, self.idle_seconds = header_seconds, idle_seconds
        self._open: dict[Any, Connection] = {}

    def __call__(self) -> Connection:
        """A new connection's protocol, for ``loop.create_server``."""
        return Connection(self, self._protocol())

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.contextmanager
    def serving(self, transport: Any) -> Iterator[None]:
        """While a request is answered no deadline runs: a live view may stay for days."""
        connection = self._open.get(transport)
        if connection is None:
            yield
            return
        connection.hurry(None)
        try:
            yield
        finally:
            connection.hurry(self.idle_seconds)

    def admit(self, connection: Connection) -> bool:
        """Whether there is room; then it counts until ``discard``."""
        alike = sum(each.address == connection.address for each in self._open.values())
        if len(self._open) >= self._most or alike >= self._most_from_one:
            return False
        self._open[connection.transport] = connection
        return True

    def discard(self, connection: Connection) -> None:
        self._open.pop(connection.transport, None)


class Connection(asyncio.Protocol):
    """One client's socket: hands everything on to the web server's own protocol, and drops who dawdles."""

    def __init__(self, connections: Connections, protocol: Any) -> None:
        self._connections, self._inner = connections, protocol
        self.transport: Any = None
        self.address = ""
        self._admitted = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        self._admitted = self._connections.admit(self)
        if not self._admitted:
            self.transport.abort()
            return
        self.hurry(self._connections.header_seconds)
        self._inner.connection_made(transport)

    def hurry(self, seconds: float | None) -> None:
        """Drops the connection after so long; ``None`` gives it all the time."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None
        if seconds is not None and self._admitted:
            self._deadline = asyncio.get_running_loop().call_later(seconds, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._admitted:
            return
        self.hurry(None)
        self._admitted = False
        self._connections.discard(self)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._admitted:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        found: bool | None = self._inner.eof_received() if self._admitted else None
        return found

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
