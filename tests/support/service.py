"""A running service in this process, and a client of it."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import aiohttp

from edge_sr.integrations.service.server import Service
from edge_sr.integrations.service.settings import ServiceLimits, Settings
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale
from edge_sr.web.place import Place

QUICK = "diinn-nano"


@dataclasses.dataclass(frozen=True)
class Served:
    """The service, what it said, and a session whose requests go to it."""

    service: Service
    said: list[str]
    session: aiohttp.ClientSession

    async def upscale(self, body: Any, **query: Any) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        async with self.session.post("/upscale", params=query, data=body) as answer:
            return answer.status, dict(answer.headers), await answer.read()

    @property
    def inside(self) -> int:
        """Requests that are under way."""
        return self.service._admission.inside

    @property
    def left(self) -> list[Path]:
        """Folders of jobs that are still there."""
        return list(self.service._folder.iterdir())

    async def get(self, path: str) -> Any:
        async with self.session.get(path) as answer:
            return await answer.json()


@asynccontextmanager
async def served(
    limits: ServiceLimits | None = None, token: str | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Served]:
    """A service of the small network on one thread; at the end nothing of it is left."""
    said: list[str] = []
    settings = Settings(Place(host, 0), token, (QUICK,), "onnxruntime", "fp32", 1, limits or ServiceLimits())
    service, stop, ready = Service(settings, said.append), threading.Event(), asyncio.Event()
    running = asyncio.ensure_future(service.run(stop, ready.set))
    await asyncio.wait([running, asyncio.ensure_future(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    base = f"http://127.0.0.1:{service.port}"
    async with aiohttp.ClientSession(base, headers=headers) as session:
        try:
            yield Served(service, said, session)
        finally:
            stop.set()
            await asyncio.wait_for(running, 60)


def expected(source: Path, output: Path, **more: Any) -> Path:
    """What ``edge-sr upscale`` writes."""
    network = {"model": QUICK, "backend": "onnxruntime", "precision": "fp32", "threads": 1}
    upscale(Request(str(source), output, scale=Fraction("2.5"), **network, **more))
    return output


async def until(condition: Callable[[], object]) -> None:
    """Waits for it, ten seconds at most."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 100))
