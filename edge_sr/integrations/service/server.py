"""The service: who may ask, the routes, and its life from the first listening to the last answer."""

from __future__ import annotations

import asyncio
import functools
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

from edge_sr.backends.autotune import precisions_of
from edge_sr.backends.registry import BACKENDS
from edge_sr.bundle import Bundle, open_bundle, shipped_bundles
from edge_sr.errors import as_ours
from edge_sr.files.drafts import scratch_folder
from edge_sr.integrations.service.asked import FILM_FORMATS, PICTURE_FORMATS
from edge_sr.integrations.service.metrics import Metrics
from edge_sr.integrations.service.openapi import description
from edge_sr.integrations.service.problems import MEDIA_TYPE, Refusal, problem, said_to_clients, status_of
from edge_sr.integrations.service.settings import Settings
from edge_sr.integrations.service.upscaling import Upscaling
from edge_sr.integrations.service.work.admission import Admission
from edge_sr.integrations.service.work.jobs import Workshop
from edge_sr.integrations.service.work.pool import NetworkPool
from edge_sr.machine.optional import require
from edge_sr.version import __version__
from edge_sr.web.authentication import Gate
from edge_sr.web.complaints import Complaints
from edge_sr.web.connections import Connections
from edge_sr.web.place import netloc

Say = Callable[[str], None]
State = Literal["starting", "ready", "stopping"]

# Routes that need no token: what keeps the service alive, and what tells how to talk to it.
OPEN = ("/healthz", "/openapi.json")
# What strangers do is told in a few lines a minute; the rest in a line each.
STRANGERS = (401, 403, 404, 405, 429)
LINGERING_SECONDS = 5.0


class Service:
    """Answers at ``settings.place`` until it is told to stop. ``say`` is told a line for each request.

    Raises ``MissingError`` without its extra, and what opening a model raises.
    """

    def __init__(self, settings: Settings, say: Say) -> None:
        self._web: Any = require("aiohttp.web", "edge-sr serve")
        self._settings, self._limits, self._say = settings, settings.limits, say
        self._bundles = {bundle.name: bundle for bundle in _offered(settings.models)}
        paths = {name: str(bundle.path) for name, bundle in self._bundles.items()}
        self._pool = NetworkPool(self._limits.networks, paths)
        self._admission = Admission(self._limits.at_once, self._limits.queue)
        self._metrics = Metrics(self._admission, self._pool)
        self._gate = Gate(settings.place.host, settings.token)
        self._complaints = Complaints("service", say)
        self._description = description(self._limits, needs_token=settings.token is not None)
        self._state: State = "starting"
        self.port = 0

    async def run(self, stop: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Serves until ``stop`` is set; what is under way then gets ``grace`` seconds to end.

        It listens at ``port`` at once, opens the default network and calls ``ready``. ``OptionError`` for a place that
        cannot be had.
        """
        self._loop = asyncio.get_running_loop()
        with scratch_folder() as self._folder:
            self._workshop = Workshop(self._settings, self._pool)
            shared = self._admission, self._metrics, self._complaints
            self._upscaling = Upscaling(self._folder, self._workshop, self._limits, *shared)
            runner = self._web.AppRunner(self._app(), **self._wiring())
            await runner.setup()
            self._connections = Connections(runner.server)
            try:
                await self._serve(stop, ready)
            finally:
                await runner.cleanup()
                self._upscaling.close()
                self._pool.close()

    async def _serve(self, stop: threading.Event, ready: Callable[[], None]) -> None:
        place = self._settings.place
        try:
            listening = await self._loop.create_server(self._connections, place.host, place.port)
        except OSError as error:
            raise place.refused("the service", error, "use another place") from error
        self.port = listening.sockets[0].getsockname()[1]
        token = "" if self._settings.token is None else ", token needed"
        try:
            # It listens before and after too, so that who asks after its health hears 503, not nothing.
            await self._upscaling.in_thread(functools.partial(self._workshop.warm, self._say))
            self._state = "ready"
            self._say(f"service: http://{netloc(place.host, self.port)}{token}")
            ready()
            await asyncio.to_thread(stop.wait)
            self._state = "stopping"
            await self._upscaling.end(self._say)
        finally:
            # A thread that waits for it would keep the process.
            stop.set()
            listening.close()

    def _app(self) -> Any:
        app = self._web.Application(middlewares=[self._guard()])
        app.router.add_post("/upscale", self._upscaling.answer)
        app.router.add_get("/models", self._models)
        app.router.add_get("/metrics", self._figures)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/openapi.json", self._openapi)
        self._loop.set_exception_handler(self._complaints.of_loop)
        return app

    def _wiring(self) -> dict[str, Any]:
        return {
            "access_log": None,
            "logger": self._complaints.logger(),
            "handler_cancellation": True,
            "auto_decompress": False,
            "lingering_time": LINGERING_SECONDS,
            "shutdown_timeout": 1.0,
        }

    def _guard(self) -> Any:
        @self._web.middleware  # type: ignore[untyped-decorator]
        async def guard(request: Any, handler: Any) -> Any:
            with self._connections.serving(request.transport):
                began = time.monotonic()
                try:
                    self._check(request)
                    response = await handler(request)
                except (asyncio.CancelledError, ConnectionResetError):
                    self._metrics.gone.inc()
                    self._say(f"{_route(request)}: the client went after {time.monotonic() - began:.2f} s")
                    raise
                except Exception as error:
                    response = self._refused(error)
                self._told(request, response.status, time.monotonic() - began)
                return response

        return guard

    def _check(self, request: Any) -> None:
        host = request.headers.get("Host", "")
        if not self._gate.admits_host(host):
            raise Refusal(403, "this service answers to names of this machine alone")
        if not self._gate.admits_origin(request.headers.get("Origin"), host):
            raise Refusal(403, "a page of another place may not ask")
        if request.path in OPEN:
            return
        self._check_token(request.headers.get("Authorization", ""))
        if self._state == "starting":
            raise Refusal(503, "the service is starting: try again in a moment", {"Retry-After": "2"})
        if self._state == "stopping":
            raise Refusal(503, "the service is about to stop", {"Connection": "close"})

    def _check_token(self, given: str) -> None:
        scheme, _, token = given.partition(" ")
        if self._gate.admits_token(token.strip() if scheme.lower() == "bearer" else ""):
            return
        if not self._gate.patient:
            raise Refusal(429, "too many wrong tokens: wait a while", {"Retry-After": "2"})
        raise Refusal(401, "send the token as: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})

    def _refused(self, error: Exception) -> Any:
        """The answer that says what went wrong."""
        if isinstance(error, self._web.HTTPException):
            kept = {key: value for key, value in error.headers.items() if key == "Allow"}
            error = Refusal(error.status, error.reason or "", kept)
        explained = error if isinstance(error, Refusal) else as_ours(error)
        if explained is None:
            self._complaints.tell("a fault of the service", error)
        shown: BaseException = explained or error
        status = status_of(shown)
        kind = "" if explained is None or isinstance(shown, Refusal) else type(shown).__name__
        body = problem(status, said_to_clients(shown, self._folder), kind)
        headers = shown.headers if isinstance(shown, Refusal) else {}
        return self._web.Response(body=body, status=status, content_type=MEDIA_TYPE, headers=headers)

    def _told(self, request: Any, status: int, seconds: float) -> None:
        route = _route(request)
        self._metrics.requests.labels(route, status).inc()
        if status in STRANGERS:
            self._complaints.tell(f"{route} {status}")
        elif route not in OPEN or status >= 500:
            self._say(f"{route} {status} {seconds:.2f} s")

    async def _models(self, _: Any) -> Any:
        limits = self._limits
        return self._json(
            {
                "models": [_about(bundle, self._settings.backend) for bundle in self._bundles.values()],
                "default": self._pool.default,
                "backends": [
                    "auto",
                    *(name for name, one in BACKENDS.items() if one.unavailable_reason() is None),
                ],
                "formats": {"picture": list(PICTURE_FORMATS), "film": list(FILM_FORMATS)},
                "limits": {"pixels": limits.pixels, "body_bytes": limits.body_bytes},
            }
        )

    async def _figures(self, _: Any) -> Any:
        body, kind = self._metrics.text()
        return self._web.Response(body=body, headers={"Content-Type": kind})

    async def _health(self, _: Any) -> Any:
        body = {"status": self._state, "version": __version__, "waiting": self._admission.waiting}
        return self._json(
            {**body, "working": self._admission.working}, 200 if self._state == "ready" else 503
        )

    async def _openapi(self, _: Any) -> Any:
        return self._json(self._description)

    def _json(self, found: dict[str, Any], status: int = 200) -> Any:
        return self._web.Response(
            body=json.dumps(found).encode(), status=status, content_type="application/json"
        )


def _offered(models: tuple[str, ...]) -> list[Bundle]:
    return [open_bundle(name) for name in models] if models else shipped_bundles()


def _about(bundle: Bundle, backend: str) -> dict[str, Any]:
    about = bundle.description
    return {
        "name": bundle.name,
        "version": about.version,
        "parameters": about.parameters,
        "precisions": list(precisions_of(bundle, backend)),
        "placements": list(bundle.schemes),
        "default_for": list(about.default_for),
    }


def _route(request: Any) -> str:
    """The route's own name: what strangers put into a path stays out of log and figures."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "another path"
