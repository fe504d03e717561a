"""Half-open sockets, dawdlers and strangers at the page's server: dropped on time, and told in few lines."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

web = pytest.importorskip("aiohttp.web")

from edge_sr.bundle import open_bundle
from edge_sr.camera.page.audience import Audience
from edge_sr.camera.page.server import Server
from edge_sr.camera.request import Place
from edge_sr.web.authentication import Bucket
from edge_sr.web.complaints import Complaints
from edge_sr.web.connections import Connections

SHORT, LONG = 0.1, 30.0


@contextlib.asynccontextmanager
async def listening(**limits: Any) -> AsyncIterator[tuple[int, Connections]]:
    """The port of a server whose ``/slow`` takes three times the short deadline."""

    @web.middleware
    async def served(request: Any, handler: Any) -> Any:
        with connections.serving(request.transport):
            return await handler(request)

    async def slow(_: Any) -> Any:
        await asyncio.sleep(3 * SHORT)
        return web.Response(text="done")

    app = web.Application(middlewares=[served])
    app.router.add_get("/slow", slow)
    runner = web.AppRunner(app)
    await runner.setup()
    connections = Connections(runner.server, **limits)
    server = await asyncio.get_running_loop().create_server(connections, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], connections
    server.close()
    await runner.cleanup()


async def spoken_to(port: int, text: bytes) -> bytes:
    """All that the server answers before it drops the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    found = b""
    with contextlib.suppress(ConnectionError):
        while chunk := await asyncio.wait_for(reader.read(1000), 20):
            found += chunk
    writer.close()
    return found


async def status_line(port: int, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    found = await asyncio.wait_for(reader.readline(), 20)
    writer.close()
    return found


def test_half_a_request_is_dropped_at_the_header_deadline() -> None:
    async def work() -> None:
        async with listening(header_seconds=SHORT, idle_seconds=LONG) as (port, connections):
            for text in (b"", b"GET /slow HTT", b"GET /slow HTTP/1.1\r\nHost: x\r\nCookie: "):
                assert await spoken_to(port, text) == b""
            assert len(connections) == 0

    asyncio.run(work())


def test_an_answer_may_take_longer_than_the_deadlines_but_idling_may_not() -> None:
    async def work() -> None:
        async with listening(header_seconds=SHORT, idle_seconds=SHORT) as (port, connections):
            answer = await spoken_to(port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer.endswith(b"done")
            assert len(connections) == 0

    asyncio.run(work())


def test_beyond_the_cap_a_connection_is_dropped_at_once_and_room_comes_back() -> None:
    async def work() -> None:
        async with listening(most=3, header_seconds=LONG) as (port, connections):
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            while len(connections) < 3:
                await asyncio.sleep(0.01)
            assert await spoken_to(port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n") == b""
            held[0][1].close()
            while len(connections) == 3:
                await asyncio.sleep(0.01)
            answer = await spoken_to(port, b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert answer.endswith(b"done")
            for _, writer in held:
                writer.close()

    asyncio.run(work())


def test_one_address_does_not_take_every_place() -> None:
    async def work() -> None:
        async with listening(most=9, most_from_one=1, header_seconds=LONG) as (port, connections):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            while len(connections) < 1:
                await asyncio.sleep(0.01)
            assert await spoken_to(port, b"GET /slow HTTP/1.1\r\n\r\n") == b""
            writer.close()

    asyncio.run(work())


def test_few_lines_are_told_and_the_rest_is_counted() -> None:
    now = [0.0]
    said: list[str] = []
    complaints = Complaints("page", said.append, Bucket(1.0, 2, clock=lambda: now[0]))
    log = complaints.logger()
    for number in range(1000):
        try:
            raise OSError(24, f"Too many open files\n{number}")
        except OSError:
            log.exception("no more sockets")
    assert said == [
        f"page: no more sockets (OSError: [Errno 24] Too many open files {number})" for number in (0, 1)
    ]
    now[0] = 1.0
    complaints.of_loop(None, {"message": "socket.accept() out of system resource"})
    assert said[2] == "page: socket.accept() out of system resource; 998 more like it before"


LINES = (b"GET /live", b"GET /?token=%ff%ed%a0%80", b"GET //[/x", b"POST /offer", b"\x16\x03\x01 /")
HEADS = (
    b"Host: 127.0.0.1\r\nCookie: edge_sr_page_PORT=\xff\xfe\xed\xa0\x80",
    b'Host: 127.0.0.1\r\nCookie: \xff=;;;==; edge_sr_page_PORT; a\\"b=\x80',
    b'Host: 127.0.0.1\r\nCookie: edge_sr_page_PORT="\\377\\303"',
    b"Host: [::1",
    b"Host: \xff\xff",
    b"Host: 127.0.0.1:99999999",
    b"Host: 127.0.0.1\r\nOrigin: http://[",
    b"Host: 127.0.0.1\r\nContent-Length: -5",
    b"Host: 127.0.0.1\r\nTransfer-Encoding: chunked, \x00",
    b"Host: 127.0.0.1\r\n" + b"X: y\r\n" * 5000,
    b"Host: 127.0.0.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: \xff\r\nSec-WebSocket-Version: 13",
)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_bad_requests_are_4xx_without_a_traceback(host: str, caplog: pytest.LogCaptureFixture) -> None:
    said: list[str] = []
    audience = Audience(0.04, lambda: (64, 64))
    server = Server(Place(host, 0), audience, open_bundle("diinn-nano"), "auto", said.append)
    try:
        for line, head in itertools.product(LINES, HEADS):
            upgrade = b"upgrade" if b"Upgrade" in head else b"close"
            text = line + b" HTTP/1.1\r\n" + head + b"\r\nConnection: " + upgrade + b"\r\n\r\n"
            named = text.replace(b"PORT", str(server.port).encode())
            answer = asyncio.run(status_line(server.port, named))
            # On loopback the page needs no token, so that a wrong one does not matter.
            good = b"24" if host == "127.0.0.1" and b"token" in line else b"4"
            assert answer.startswith(b"HTTP/1.") and answer[9:10] in good, (line, head, answer)
    finally:
        server.close()
    assert not any("\n" in each for each in said)
    assert not caplog.records
