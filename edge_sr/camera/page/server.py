"""The page's web server: its own thread, its own event loop, nothing shared but the audience."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import secrets
import socket
import threading
from concurrent.futures import Future
from http.cookies import CookieError
from importlib import resources
from typing import Any

from edge_sr.backends.registry import choose_backend
from edge_sr.bundle import Bundle, shipped_bundles
from edge_sr.camera.page import webrtc
from edge_sr.camera.page.audience import Audience
from edge_sr.camera.page.delivery import Delivery
from edge_sr.camera.page.viewer import Viewer
from edge_sr.camera.page.views import Acknowledged, BadMessage, View, parse_message
from edge_sr.camera.reader import Say
from edge_sr.errors import EdgeSRError, ResourceError
from edge_sr.machine.optional import require
from edge_sr.upscale.run.networks import NetworkChoice
from edge_sr.web.authentication import Bucket, Gate, page_token
from edge_sr.web.complaints import Complaints
from edge_sr.web.connections import Connections
from edge_sr.web.place import Place, netloc

MOST_VIEWERS = 16
LARGEST_MESSAGE, LARGEST_OFFER = 4096, 32768
MESSAGES_A_SECOND, MESSAGES_AT_ONCE = 60, 240
HEARTBEAT_SECONDS = 20.0
SNAPSHOT_SECONDS = 20.0
START_SECONDS = 10.0
OFFER_SECONDS = 10.0
# Browsers keep cookies by host alone: each page's has its port in its name.
COOKIE = "edge_sr_page_{}"
# No other page may frame, read or script this one, and it loads nothing from anywhere.
POLICY = (
    "default-src 'none'; img-src 'self' blob: data:; connect-src 'self'; style-src 'nonce-{0}'; "
    "script-src 'nonce-{0}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Server:
    """Serves the page at ``place`` until ``close``; ``address`` is what to open, token included.

    What strangers do to it is told to ``say``, a few lines a minute at most.
    Raises ``OptionError`` for a host or port that cannot be had, ``MissingError`` without aiohttp.
    """

    def __init__(self, place: Place, audience: Audience, extra: Bundle, backend: str, say: Say) -> None:
        self._web: Any = require("aiohttp.web", "edge-sr camera --serve")
        self._place, self._audience = place, audience
        self._gate = Gate(place.host, page_token(place.host))
        self._models = model_list(extra, backend)
        self._complaints = Complaints("page", say)
        self._page = resources.files("edge_sr.camera.page").joinpath("page.html").read_text(encoding="utf-8")
        self._snapshots = asyncio.Semaphore(1)
        self._ready: Future[int] = Future()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._thread.start()
        self.port = self._started()

    @property
    def address(self) -> str:
        host = self._place.host
        if host in ("0.0.0.0", "::"):
            host = socket.gethostname()
        query = "" if self._gate.token is None else f"?token={self._gate.token}"
        return f"http://{netloc(host, self.port)}/{query}"

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(timeout=START_SECONDS)

    def _started(self) -> int:
        try:
            return self._ready.result(START_SECONDS)
        except OSError as error:
            raise self._place.refused("the page", error, "use another --serve") from error

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._ending = asyncio.Event()
        broadcast = webrtc.Broadcast(self._audience) if webrtc.available() else None
        app = self._web.Application(client_max_size=LARGEST_OFFER, middlewares=[self._guard()])
        app.router.add_get("/", self._index)
        app.router.add_get("/live", self._live)
        app.router.add_get("/snapshot.png", self._snapshot)
        if broadcast is not None:
            app.router.add_post("/offer", functools.partial(self._offer, broadcast))
        self._loop.set_exception_handler(self._complaints.of_loop)
        log = self._complaints.logger()
        runner = self._web.AppRunner(app, access_log=None, shutdown_timeout=1.0, logger=log)
        await runner.setup()
        self._connections = Connections(runner.server)
        try:
            await self._listening()
        finally:
            if broadcast is not None:
                await broadcast.close()
            await runner.cleanup()

    async def _listening(self) -> None:
        listening = await self._loop.create_server(self._connections, self._place.host, self._place.port)
        self._ready.set_result(listening.sockets[0].getsockname()[1])
        try:
            await self._ending.wait()
        finally:
            listening.close()

    def _guard(self) -> Any:
        web = self._web

        @web.middleware  # type: ignore[untyped-decorator]
        async def guard(request: Any, handler: Any) -> Any:
            with self._connections.serving(request.transport):
                try:
                    self._check(request)
                except (ValueError, CookieError) as error:
                    raise web.HTTPBadRequest(text="a request that no browser makes\n") from error
                return await handler(request)

        return guard

    @property
    def _cookie(self) -> str:
        return COOKIE.format(self._ready.result())

    def _check(self, request: Any) -> None:
        host = request.headers.get("Host", "")
        if not self._gate.admits_host(host):
            raise self._web.HTTPForbidden(text="unknown host\n")
        if not self._gate.admits_origin(request.headers.get("Origin"), host):
            raise self._web.HTTPForbidden(text="another page's request\n")
        if not self._gate.admits_cookie(request.cookies.get(self._cookie, "")):
            self._check_token(request)

    def _check_token(self, request: Any) -> None:
        """The token in the address is taken for a cookie at once, so that it stays in no history."""
        given = request.query.get("token", "")
        if self._gate.admits_token(given):
            answer = self._web.HTTPSeeOther("/")
            answer.set_cookie(self._cookie, self._gate.cookie, httponly=True, samesite="Strict")
            raise answer
        if not self._gate.patient:
            raise self._web.HTTPTooManyRequests(text="too many wrong tokens: wait a while\n")
        raise self._web.HTTPUnauthorized(text="open the page with the token that edge-sr printed\n")

    async def _index(self, _: Any) -> Any:
        nonce = secrets.token_urlsafe(12)
        headers = {
            "Content-Security-Policy": POLICY.format(nonce),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        text = self._page.replace("NONCE", nonce)
        return self._web.Response(text=text, content_type="text/html", headers=headers)

    async def _snapshot(self, _: Any) -> Any:
        if self._snapshots.locked():
            raise self._web.HTTPTooManyRequests(text="a snapshot is being taken already\n")
        async with self._snapshots:
            taken = asyncio.wrap_future(self._audience.snapshot())
            try:
                data = await asyncio.wait_for(taken, SNAPSHOT_SECONDS)
            except (asyncio.TimeoutError, asyncio.CancelledError) as error:
                raise self._web.HTTPServiceUnavailable(text="no picture to take\n") from error
        headers = {"Content-Disposition": 'attachment; filename="edge-sr.png"', "Cache-Control": "no-store"}
        return self._web.Response(body=data, content_type="image/png", headers=headers)

    async def _offer(self, broadcast: webrtc.Broadcast, request: Any) -> Any:
        try:
            answer = await broadcast.answer(await asyncio.wait_for(request.text(), OFFER_SECONDS))
        except (webrtc.BadOffer, UnicodeDecodeError, LookupError, asyncio.TimeoutError) as error:
            # Of a character set that nobody knows it is a LookupError.
            raise self._web.HTTPBadRequest(text=f"{error}\n") from error
        return self._web.Response(text=answer, content_type="application/sdp")

    async def _live(self, request: Any) -> Any:
        web = self._web
        if self._audience.count >= MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_VIEWERS} viewers are here already\n")
        connection = web.WebSocketResponse(
            max_msg_size=LARGEST_MESSAGE, heartbeat=HEARTBEAT_SECONDS, compress=False, timeout=1.0
        )
        try:
            await connection.prepare(request)
        except (ValueError, web.HTTPBadRequest) as error:
            raise web.HTTPBadRequest(text="expected a WebSocket\n") from error
        delivery = Delivery(connection)
        viewer = Viewer(delivery.picture, delivery.word)
        sending = asyncio.create_task(delivery.run())
        offered = [{key: model[key] for key in ("name", "precisions")} for model in self._models]
        delivery.word({"models": offered, "video": webrtc.available()})
        self._audience.join(viewer)
        try:
            await self._listen(connection, viewer)
        finally:
            self._audience.leave(viewer)
            sending.cancel()
        return connection

    async def _listen(self, connection: Any, viewer: Viewer) -> None:
        bucket = Bucket(MESSAGES_A_SECOND, MESSAGES_AT_ONCE)
        async for message in connection:
            if not bucket.take():
                await connection.close(code=1008, message=b"too many messages")
                return
            try:
                self._heed(viewer, message.data)
            except BadMessage as error:
                viewer.tell({"error": f"not understood: {error}"})

    def _heed(self, viewer: Viewer, data: Any) -> None:
        if not isinstance(data, str):
            raise BadMessage("binary")
        message = parse_message(data)
        if isinstance(message, View):
            viewer.look(message)
        elif isinstance(message, Acknowledged):
            viewer.acknowledge(message.number)
        else:
            self._audience.wish(viewer, self._known(message))

    def _known(self, choice: NetworkChoice) -> NetworkChoice:
        """Only what the page was offered: a viewer must not open files of this machine by name."""
        for model in self._models:
            if model["name"] == choice.model and choice.precision in model["precisions"]:
                return NetworkChoice(model["path"], choice.backend, choice.precision)
        raise BadMessage("no such model or precision")


def model_list(extra: Bundle, backend: str) -> list[dict[str, Any]]:
    """What the page may choose from: the shipped models, and the run's own, in what ``backend`` computes."""
    bundles = list(shipped_bundles())
    if extra.path not in [bundle.path for bundle in bundles]:
        bundles.insert(0, extra)
    return [
        {
            "name": bundle.name,
            "path": str(bundle.path),
            "precisions": sorted(choose_backend(backend, bundle).precisions(bundle)),
        }
        for bundle in bundles
    ]


def open_page(place: Place, audience: Audience, extra: Bundle, backend: str, say: Say) -> Server:
    """The running page; ``ResourceError`` when the server's thread fails in a way of its own."""
    try:
        return Server(place, audience, extra, backend, say)
    except EdgeSRError:
        raise
    except Exception as error:
        raise ResourceError(f"the page's server does not start: {error}; leave --serve out") from error
