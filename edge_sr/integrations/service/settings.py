"""What the service is started with, and its limits."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

from edge_sr.errors import InputNotFoundError, OptionError
from edge_sr.upscale.run.request import Request
from edge_sr.web.authentication import is_loopback
from edge_sr.web.place import Place

TOKEN_VARIABLE = "EDGE_SR_TOKEN"
SHORTEST_TOKEN = 16
LONGEST_SECONDS = 1_000_000
# As RFC 6750 has a bearer token.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


@dataclasses.dataclass(frozen=True)
class ServiceLimits:
    """``at_once`` jobs are worked on and ``queue`` more may wait; ``networks`` stay open.

    ``pixels`` bounds a picture or frame, input and output alike, ``body_bytes`` an upload. Seconds: ``picture`` and
    ``film`` for the work on one, ``grace`` for what is under way when the service is told to stop.
    """

    at_once: int = 2
    queue: int = 32
    networks: int = 4
    pixels: int = 64_000_000
    body_bytes: int = 512 << 20
    picture: float = 120.0
    film: float = 3600.0
    grace: float = 30.0

    def __post_init__(self) -> None:
        for option, found, least in (
            ("at-once", self.at_once, 1),
            ("queue", self.queue, 0),
            ("networks", self.networks, 1),
            ("max-pixels", self.pixels, 1),
            # The library may give less than a whole one.
            ("max-megabytes", -(-self.body_bytes >> 20), 1),
        ):
            if found < least:
                raise OptionError(f"--{option} must be at least {least}, found {found}")
        for option, seconds in (
            ("timeout", self.picture),
            ("film-timeout", self.film),
            ("grace", self.grace),
        ):
            if not 0 < seconds <= LONGEST_SECONDS:
                raise OptionError(
                    f"--{option} must be over 0 and at most {LONGEST_SECONDS} seconds, found {seconds:g}"
                )
        if self.networks < self.at_once:
            raise OptionError(
                f"{self.at_once} jobs at once take up to as many networks, and {self.networks} may be open: "
                "raise --networks or lower --at-once"
            )


@dataclasses.dataclass(frozen=True)
class Settings:
    """``models`` are those that may be asked for: shipped names or bundles' folders, all shipped ones if empty.

    ``token`` is what clients show; ``None`` lets everybody in.
    """

    place: Place
    token: str | None
    models: tuple[str, ...] = ()
    backend: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    limits: ServiceLimits = dataclasses.field(default_factory=ServiceLimits)

    def network_request(self, request: Request) -> Request:
        """``request`` with what it leaves to the service of its network."""
        return dataclasses.replace(
            request,
            backend=self.backend if request.backend == "auto" else request.backend,
            precision=self.precision if request.precision == "auto" else request.precision,
            threads=self.threads,
        )


def find_token(place: Place, file: Path | None, *, given: str | None = None, without: bool) -> str | None:
    """The token that is ``given``, else of ``file``, else of ``$EDGE_SR_TOKEN``; on loopback none is needed.

    Raises ``OptionError`` where one is needed and there is none, it is no token, or two places contradict each other,
    ``InputNotFoundError`` for a file that is not there.
    """
    said = os.environ.get(TOKEN_VARIABLE)
    if given is not None and file is not None:
        raise OptionError("--token and --token-file: choose one")
    if without:
        if given is not None or file is not None or said:
            where = "--token" if given is not None else file or "$" + TOKEN_VARIABLE
            raise OptionError(f"--without-token, and there is a token in {where}: choose one")
        return None
    token = _read(file) if file is not None else said if given is None else given
    if not token:
        if is_loopback(place.host):
            return None
        raise OptionError(
            f"{place.host} is seen by other machines: put a token of {SHORTEST_TOKEN} characters or more into "
            f"${TOKEN_VARIABLE} or a file (--token-file), or add --without-token in a network that you trust"
        )
    if len(token) < SHORTEST_TOKEN or not _TOKEN.fullmatch(token):
        raise OptionError(
            f"a token is {SHORTEST_TOKEN} or more letters, digits and . _ ~ + / - characters; "
            "make one with: openssl rand -hex 24"
        )
    return token


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        raise InputNotFoundError(f"no such file: {file}; write the token into it") from error
    except (OSError, ValueError) as error:
        raise OptionError(f"{file} holds no token that can be read: {error}") from error
