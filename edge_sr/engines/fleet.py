"""A fleet: many unlike devices served from one file, built here as far as this machine can."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_sr.bundle import open_bundle
from edge_sr.engines.build.request import BuildRequest, Workplace, find_workplace
from edge_sr.engines.target import load_target
from edge_sr.errors import ConfigError, MissingError
from edge_sr.files.config import load_toml
from edge_sr.sizes import parse_size, size_text


@dataclass(frozen=True)
class FleetGroup:
    """Every bundle for every target in every precision; without ``sizes``, the target's own."""

    bundles: tuple[str, ...]
    targets: tuple[str, ...]
    precisions: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    depth: int = 8

    def __post_init__(self) -> None:
        if not self.bundles or not self.targets:
            raise ConfigError("a group needs at least one bundle and one target")
        for names in (self.bundles, self.targets, self.precisions, self.sizes):
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise ConfigError(f"a group asks for {twice} twice; name it once")


@dataclass(frozen=True)
class Fleet:
    """The content of a fleet file: ``[[group]]`` tables."""

    group: tuple[FleetGroup, ...]

    def __post_init__(self) -> None:
        if not self.group:
            raise ConfigError("expected at least one [[group]], found none")


@dataclass(frozen=True)
class Elsewhere:
    """A build that this machine cannot do: the command to run, and why not here."""

    target: str
    bundle: str
    command: str
    reason: str


def load_fleet(path: Path) -> Fleet:
    """``ConfigError`` names an unknown key or a group without bundles or targets."""
    return load_toml(path, Fleet)


def requests(fleet: Fleet) -> list[BuildRequest]:
    """Every build of the fleet; a wrong name anywhere is an error before anything is built."""
    return [request for group in fleet.group for request in _of_group(group)]


def _of_group(group: FleetGroup) -> Iterator[BuildRequest]:
    sizes = tuple(parse_size(text, "an entry of sizes") for text in group.sizes)
    bundles = [open_bundle(name) for name in group.bundles]
    for target in map(load_target, group.targets):
        for bundle in bundles:
            for precision in group.precisions or (target.precision,):
                yield BuildRequest(bundle, target, precision, sizes, depth=group.depth)


def split(asked: list[BuildRequest]) -> tuple[list[tuple[BuildRequest, Workplace]], list[Elsewhere]]:
    """What can be built here, and what must be built where."""
    here, elsewhere = [], []
    for request in asked:
        command = command_for(request)
        try:
            here.append((request, find_workplace(request, command)))
        except MissingError as error:
            elsewhere.append(Elsewhere(request.target.name, request.bundle.name, command, str(error)))
    return here, elsewhere


def command_for(request: BuildRequest) -> str:
    """The command that builds the request on the right machine."""
    words = ["edge-sr", "build", request.bundle.given_as, "--target", request.target.given_as]
    words += ["--precision", request.precision]
    if request.sizes:
        words += ["--sizes", ",".join(map(size_text, request.sizes))]
    if request.max_size:
        words += ["--max-size", size_text(request.max_size)]
    words += ["--depth", "10"] if request.depth == 10 else []
    words += ["--dla"] if request.dla else []
    words += ["--dla-fallback"] if request.gpu_fallback else []
    words += ["--decoder", "kernels"] if request.maps_last else []
    words += ["--flavour", request.flavour.value] if request.flavour else []
    return shlex.join(words)
