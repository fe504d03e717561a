"""What a task is told of a film, and what it tells of the pieces that it makes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.farm.films.index import Piece
from edge_sr.upscale.pipeline import Target
from edge_sr.upscale.run.networks import NetworkChoice
from edge_sr.upscale.run.request import Request
from edge_sr.upscaler import PartTimes
from edge_sr.video.encode.segment_encoder import EncodeSettings


@dataclasses.dataclass(frozen=True)
class SharedFolder:
    """The work folder, for nodes that find ``token`` in it: for those it is one folder with the driver's."""

    path: Path
    token: str


@dataclasses.dataclass(frozen=True)
class FilmJob:
    """Everything about a film that its tasks have in common.

    ``request`` names its input in full, and ``identity`` tells whether a node sees the same under that name; ``source``
    serves it to those that do not. ``network`` is the one that was settled.
    """

    request: Request
    identity: dict[str, Any]
    network: NetworkChoice
    recipe: EncodeSettings
    target: Target
    length: int
    captions: bool
    stereo: bool
    shared: SharedFolder
    source: Any = None


@dataclasses.dataclass(frozen=True)
class PieceRange:
    """Consecutive pieces for one task."""

    pieces: tuple[Piece, ...]

    def frames(self, length: int) -> tuple[int, int | None]:
        """The numbers of the first frame and of that after the last; None for the end of the film, wherever it is."""
        last = self.pieces[-1]
        return self.pieces[0].number * length, None if last.end_pts is None else (last.number + 1) * length


@dataclasses.dataclass(frozen=True)
class Begun:
    """A task is at work on ``node``, Ray's id for it, whose name is ``host``."""

    node: str
    host: str


@dataclasses.dataclass(frozen=True)
class Progressed:
    """``frames`` of the task's pieces, from number ``first`` on, are through the network."""

    first: int
    frames: int


@dataclasses.dataclass(frozen=True)
class PieceMade:
    """A finished piece: in the shared folder as ``draft``, or with its bytes as ``data``.

    ``times``: the median of what its frames took.
    """

    number: int
    first_pts: int
    end_pts: int
    suffix: str
    frames: int
    times: PartTimes
    bad_frames: int
    warnings: tuple[str, ...]
    lost: tuple[str, ...]
    draft: str | None = None
    data: NDArray[np.uint8] | None = None


Event = Begun | Progressed | PieceMade
