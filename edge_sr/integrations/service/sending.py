"""Answers on their way out: a file, or bytes that a thread makes meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from edge_sr.errors import InterruptedRun

CHUNK = 1 << 16
# A client that takes nothing for so long has gone.
SEND_SECONDS = 20.0
# Pieces that may wait for the client.
WAITING = 8


class Channel:
    """Bytes from a working thread to the server's loop, a few at a time: a slow client slows the work."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING)
        self._closed = False

    def write(self, data: bytes) -> int:
        """The thread's end; waits for room. Raises ``InterruptedRun`` once the other end is closed."""
        if not self._closed:
            asyncio.run_coroutine_threadsafe(self._pieces.put(bytes(data)), self._loop).result()
        if self._closed:
            raise InterruptedRun("nobody takes the film any more")
        return len(data)

    async def end(self) -> None:
        """No more will come."""
        if not self._closed:
            await self._pieces.put(None)

    def close(self) -> None:
        """Nobody takes any more: a thread that waits for room is let go."""
        self._closed = True
        while not self._pieces.empty():
            self._pieces.get_nowait()

    async def pieces(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece


async def send(response: Any, data: bytes) -> None:
    """Raises ``ConnectionResetError`` when the client has gone or takes nothing."""
    try:
        await asyncio.wait_for(response.write(data), SEND_SECONDS)
    except asyncio.TimeoutError as error:
        raise ConnectionResetError("the client takes nothing") from error


async def send_file(response: Any, path: Path) -> int:
    """Sends a file in pieces; returns how many bytes it had."""
    sent = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            await send(response, chunk)
            sent += len(chunk)
    return sent
