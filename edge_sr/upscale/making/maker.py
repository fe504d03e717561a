"""What makes a film's segments: this machine (``here``), or a cluster (``edge_sr.farm``)."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from edge_sr.upscale.run.medians import PartMedians
from edge_sr.video.encode.segments import Segment
from edge_sr.video.encode.workfolder import WorkFolder

if TYPE_CHECKING:
    from threading import Event

    from edge_sr.bundle import Bundle
    from edge_sr.kinds import Precision, Scheme
    from edge_sr.upscale.film_plan import FilmPlan
    from edge_sr.upscale.run.request import Request
    from edge_sr.upscale.run.watcher import Watcher
    from edge_sr.video.film.film import Film


class RunNetwork(Protocol):
    """What a run records and reports of the network that it was made with; an ``Upscaler`` is one."""

    @property
    def bundle(self) -> Bundle: ...
    @property
    def model(self) -> str: ...
    @property
    def backend(self) -> str: ...
    @property
    def encoder_backend(self) -> str: ...
    @property
    def precision(self) -> Precision: ...
    @property
    def scheme(self) -> Scheme | None: ...
    @property
    def tta(self) -> bool: ...
    @property
    def device_bytes(self) -> int | None: ...


@dataclasses.dataclass(frozen=True)
class NodeShare:
    """What a node of a cluster made of a film; ``node`` is its host's name."""

    node: str
    pieces: int
    frames: int


@dataclasses.dataclass
class Made:
    """What one run has made: ``frames`` of the film's ``total``, in ``seconds``; ``times`` of these, or
    of a cluster's pieces.

    ``nodes``: who made it, where that was a cluster; ``notes``: what a reader of the report must know of how.
    """

    frames: int = 0
    total: int = 0
    seconds: float = 0.0
    times: PartMedians = dataclasses.field(default_factory=PartMedians)
    interrupted: bool = False
    bad_frames: int = 0
    warnings: list[str] = dataclasses.field(default_factory=list)
    lost: list[str] = dataclasses.field(default_factory=list)
    nodes: list[NodeShare] | None = None
    notes: list[str] = dataclasses.field(default_factory=list)


class Maker(Protocol):
    """Makes what a work folder lacks of a film's segments, by ``network``."""

    @property
    def network(self) -> RunNetwork: ...

    def make(self, work: WorkFolder) -> Made:
        """All segments, or with ``interrupted`` those that were finished before it was stopped."""

    def suspend(self) -> Segment | None:
        """After an interruption: the frames that are in no segment yet, written as far as they go."""

    def salvage(self) -> Segment | None:
        """After an error: as many of those frames as can be written."""


class Makers(Protocol):
    """Opens a maker for a film; ``films_at_once`` keep it busy."""

    @property
    def films_at_once(self) -> int: ...

    def opened(
        self, request: Request, film: Film, plan: FilmPlan, watcher: Watcher, stop: Event
    ) -> AbstractContextManager[Maker]:
        """The maker, which tells ``watcher`` how it goes on and ends after the current frame once ``stop`` is set.

        What ``request`` left open of the network is settled by then.
        """
