"""The sending side of one viewer's connection: pictures and words, one after the other."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

SEND_SECONDS = 20.0
# Words beyond these are dropped: who reads none needs no more of them.
MOST_WORDS = 240


class Delivery:
    """What waits to be sent to one viewer: all words, and the pictures, few by the audience's own rule."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Queue[bytes | dict[str, Any]] = asyncio.Queue()

    def picture(self, data: bytes) -> None:
        self._put(data)

    def word(self, word: dict[str, Any]) -> None:
        if self._waiting.qsize() < MOST_WORDS:
            self._put(word)

    def _put(self, item: bytes | dict[str, Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: so has the viewer
            self._loop.call_soon_threadsafe(self._waiting.put_nowait, item)

    async def run(self) -> None:
        """One after the other; who takes none for a while is let go, and finds back by itself."""
        try:
            while True:
                item = await self._waiting.get()
                send = self._connection.send_bytes if isinstance(item, bytes) else self._connection.send_json
                await asyncio.wait_for(send(item), SEND_SECONDS)
        except (asyncio.TimeoutError, ConnectionError, RuntimeError):
            await self._connection.close(code=1001)
