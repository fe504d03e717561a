"""``edge-sr serve``: pictures and films upscaled over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_sr.cli.options import MODELS, NETWORK, RUN, Backend, Precision, Threads, complete_models

LIMITS = "Limits"
EXAMPLES = (
    "edge-sr serve 8090",
    "edge-sr serve 0.0.0.0:8090 --token-file /run/secrets/edge-sr --max-pixels 16000000",
)

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar=MODELS,
        help="Offer this network; may stand several times.",
        autocompletion=complete_models,
        show_default="all that are shipped",
        rich_help_panel=NETWORK,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="T",
        help="The token that clients must show. A file or $EDGE_SR_TOKEN keeps it out of the shell's history.",
        rich_help_panel=RUN,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="A file with that token.",
        rich_help_panel=RUN,
    ),
]
WithoutToken = Annotated[
    bool,
    typer.Option("--without-token", help="Let everybody in, from other machines too.", rich_help_panel=RUN),
]


def _limit(option: str, metavar: str, text: str) -> object:
    return typer.Option(option, metavar=metavar, help=text, rich_help_panel=LIMITS)


Place = Annotated[
    str,
    typer.Argument(metavar="[HOST:]PORT", help="Where to listen; without HOST, on this machine alone."),
]
AtOnce = Annotated[int, _limit("--at-once", "N", "Uploads worked on at once.")]
Queue = Annotated[int, _limit("--queue", "N", "Uploads that may wait; more are sent away with 429.")]
Networks = Annotated[int, _limit("--networks", "N", "Networks kept open.")]
MaxPixels = Annotated[int, _limit("--max-pixels", "N", "Pixels of an input or output picture or frame.")]
MaxMegabytes = Annotated[int, _limit("--max-megabytes", "N", "Size of an upload, in MiB.")]
Timeout = Annotated[float, _limit("--timeout", "SECONDS", "Work on a picture.")]
FilmTimeout = Annotated[float, _limit("--film-timeout", "SECONDS", "Work on a film.")]
Grace = Annotated[
    float, _limit("--grace", "SECONDS", "For what is under way when the service is told to stop.")
]


def serve(
    place: Place,
    model: Models = None,
    backend: Backend = "auto",
    precision: Precision = "auto",
    threads: Threads = None,
    token: Token = None,
    token_file: TokenFile = None,
    without_token: WithoutToken = False,
    at_once: AtOnce = 2,
    queue: Queue = 32,
    networks: Networks = 4,
    max_pixels: MaxPixels = 64_000_000,
    max_megabytes: MaxMegabytes = 512,
    timeout: Timeout = 120,
    film_timeout: FilmTimeout = 3600,
    grace: Grace = 30,
) -> None:
    """Upscale pictures and films over HTTP: POST /upscale.

    Needs the extra live. Also GET /models, /healthz, /metrics and /openapi.json.
    Beyond this machine clients show a token: Authorization: Bearer TOKEN.
    """
    import asyncio

    from edge_sr.cli.terminal.interrupts import stopping
    from edge_sr.cli.terminal.progress import Talker
    from edge_sr.integrations.service.server import Service
    from edge_sr.integrations.service.settings import ServiceLimits, Settings, find_token
    from edge_sr.web.place import parse_place

    where = parse_place(place, "the place to listen")
    limits = ServiceLimits(
        at_once=at_once,
        queue=queue,
        networks=networks,
        pixels=max_pixels,
        body_bytes=max_megabytes << 20,
        picture=timeout,
        film=film_timeout,
        grace=grace,
    )
    settings = Settings(
        place=where,
        token=find_token(where, token_file, given=token, without=without_token),
        models=tuple(model or ()),
        backend=backend,
        precision=precision,
        threads=threads,
        limits=limits,
    )
    say = Talker().say
    with stopping(say, "stopping: no new requests; once more to stop at once") as stop:
        asyncio.run(Service(settings, say).run(stop))
