"""Where a film's pieces begin and end in time, known before anything is upscaled."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator

from edge_sr.farm.films.frame_times import decoded_times, packet_times
from edge_sr.video.film.info import Excerpt


@dataclasses.dataclass(frozen=True)
class Piece:
    """A segment to be made. ``first_pts`` is when its first frame is shown, ``end_pts`` when the next piece's is: None
    for the last piece, whose own frame says how long it lasts. ``frames``: how many it has."""

    number: int
    first_pts: int
    end_pts: int | None
    frames: int = 0

    def agrees(self, first_pts: int, end_pts: int) -> bool:
        """Whether a segment of these times is this piece."""
        return first_pts == self.first_pts and self.end_pts in (None, end_pts)


@dataclasses.dataclass(frozen=True)
class PieceIndex:
    """The pieces of ``length`` frames of a film, told from packets or, with ``decoding``, from all its frames."""

    name: str
    excerpt: Excerpt
    protocols: Collection[str]
    length: int

    def pieces(self, *, decoding: bool) -> Iterator[Piece]:
        """In order, each found when it is asked for; a film whose packets have no times is decoded either way."""
        times = None if decoding else packet_times(self.name, self.excerpt, self.protocols)
        if times is None:
            times = decoded_times(self.name, self.excerpt, self.protocols)
        number = frames = first = 0
        for pts in times:
            if frames == self.length:
                yield Piece(number, first, pts, frames)
                number, frames = number + 1, 0
            if not frames:
                first = pts
            frames += 1
        if frames:
            yield Piece(number, first, None, frames)
