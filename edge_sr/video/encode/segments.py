"""An encoded film in pieces of a fixed number of frames, each a file that is whole or absent.

Every piece comes from an encoder of its own, so a piece depends on nothing but its frames: a run that was cut
off and gone on with makes the same pieces as one that was not.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sr.atomic_file import to_disk
from edge_sr.video.encode.encoding import Encoding
from edge_sr.video.encode.pieces import Piece, Recipe
from edge_sr.video.opening import writing
from edge_sr.video.timed import Timed

if TYPE_CHECKING:
    import av

PIECE_NAME = r"(\d{6,})_(-?\d+)_(-?\d+)\.(?:mp4|mov|nut)"
_NAME = re.compile(PIECE_NAME)
# A piece holds about this many output pixels, within a limit either way.
PIXELS = 1 << 28


def frames_per_segment(encoding: Encoding) -> int:
    """How many frames a piece holds: 120 up to 1080p, fewer where each is large or stands alone."""
    if encoding.codec.intra:
        return 16
    width, height = encoding.size
    return min(120, max(16, PIXELS // (width * height)))


@dataclasses.dataclass(frozen=True)
class Segment:
    """A finished piece. Its file begins at time 0; ``first_pts`` is that of its first frame in the film, ``end_pts``
    when its last frame has been shown."""

    path: Path
    index: int
    first_pts: int
    end_pts: int


def finished_segments(folder: Path) -> list[Segment]:
    """The pieces from the first on without a gap, in order."""
    found = {}
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match and path.is_file() and not path.is_symlink():
            found[int(match[1])] = Segment(path, *map(int, match.groups()))
    pieces: list[Segment] = []
    while len(pieces) in found:
        pieces.append(found[len(pieces)])
    return pieces


class SegmentWriter:
    """Encodes frames into pieces of ``length`` frames in ``folder``.

    ``finish`` completes the last piece, ``suspend`` writes an unfinished one under a name that is no piece's,
    and ``salvage`` what there is room for of it. Raises ``DiskFullError`` or ``ResourceError`` if not.
    """

    def __init__(self, folder: Path, recipe: Recipe, length: int) -> None:
        self._folder = folder
        self._recipe = recipe
        self._length = length
        self._piece: Piece | None = None

    def write(self, frame: Timed[av.VideoFrame]) -> None:
        """Encodes one frame; completes the piece when it is the piece's last."""
        with writing(str(self._folder)):
            if self._piece is None:
                path = self._folder / f"unfinished.{self._recipe.encoding.codec.piece}"
                self._piece = Piece(path, frame, self._recipe)
            self._piece.encode(frame)
        if (frame.index + 1) % self._length == 0:
            self.finish()

    def finish(self) -> None:
        """Completes the piece that is on its way."""
        piece = self._piece
        if piece is None:
            return
        with writing(str(self._folder)):
            piece.save()
            number = piece.index // self._length
            name = f"{number:06d}_{piece.first_pts}_{piece.end_pts}{piece.path.suffix}"
            piece.path.replace(self._folder / name)
            to_disk(self._folder)
        self._piece = None

    def suspend(self) -> Segment | None:
        """Writes the piece as it is; playable, but not among ``finished_segments``."""
        piece, self._piece = self._piece, None
        if piece is None:
            return None
        with writing(str(self._folder)):
            piece.save()
        return Segment(piece.path, piece.index, piece.first_pts, piece.end_pts)

    def salvage(self) -> Segment | None:
        """After an error: as much of the piece as can be written, None when nothing can."""
        piece, self._piece = self._piece, None
        if piece is None or not piece.salvage():
            return None
        return Segment(piece.path, piece.index, piece.first_pts, piece.end_pts)
