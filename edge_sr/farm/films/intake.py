"""The pieces that come in: put into the work folder, counted, and checked against where the film's frames should be."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from edge_sr.farm.films.index import Piece
from edge_sr.farm.films.job import PieceMade, Progressed
from edge_sr.farm.films.progress import FilmProgress
from edge_sr.farm.films.queue import Run
from edge_sr.files.atomic import writing
from edge_sr.files.durable import to_disk
from edge_sr.upscale.making.maker import Made
from edge_sr.upscale.run.watcher import Watcher
from edge_sr.video.encode.segments import Segment
from edge_sr.video.encode.workfolder import WorkFolder

# Pieces of a film that does not say how long it is: many, so that tasks stay long.
UNKNOWN = 1000


class MovedFrames(Exception):
    """The film's frames are not where its packets say; nothing that was made is known to be right."""


class Intake:
    """Takes pieces of ``length`` frames into ``work``; about ``frames`` make the film, 0 where nobody knows.

    ``present`` are the numbers of all that is there, of an earlier run too.
    """

    def __init__(self, work: WorkFolder, length: int, frames: int, watcher: Watcher) -> None:
        self._work, self._length, self._watcher = work, length, watcher
        self.present = set(work.pieces())
        self.expected = -(-frames // length) if frames else UNKNOWN
        self.is_whole = False
        self._made = Made()
        self._progress = FilmProgress(length, frames, self.present)
        watcher.begin(frames, self._progress.resumed)

    def checked(self, pieces: Iterator[Piece], *, decoding: bool) -> Iterator[Piece]:
        """The pieces, those that are there already compared with them on the way: with ``decoding`` wrong ones go."""
        found = self._work.pieces()
        for piece in pieces:
            segment = found.pop(piece.number, None)
            if segment is not None and not piece.agrees(segment.first_pts, segment.end_pts):
                self._remove(segment, decoding)
            elif segment is not None:
                self._progress.present(piece.number, piece.frames)
            if piece.end_pts is None:
                # What is there beyond the film's end is none of its pieces either.
                for beyond in found.values():
                    self._remove(beyond, decoding)
            yield piece

    def _remove(self, segment: Segment, decoding: bool) -> None:
        if not decoding:
            raise MovedFrames
        segment.path.unlink()
        self.present.discard(segment.index)
        self._progress.drop(segment.index)

    def take(self, run: Run, piece: PieceMade) -> None:
        draft = self._work.path / (piece.draft or f"unfinished-{secrets.token_hex(8)}{piece.suffix}")
        with writing(str(self._work.path)):
            if piece.data is not None:
                with draft.open("wb") as file:
                    file.write(piece.data.data)
                to_disk(draft)
            self._work.adopt(draft, piece.number, piece.first_pts, piece.end_pts)
        self._progress.take(run, piece)
        made = self._made
        made.times.add(piece.times)
        made.bad_frames += piece.bad_frames
        made.warnings += [text for text in piece.warnings if text not in made.warnings]
        made.lost += [name for name in piece.lost if name not in made.lost]
        self._tell()

    def discard(self, piece: PieceMade) -> None:
        """A piece that is there already, or that is not one of the film's."""
        if piece.draft is not None:
            (self._work.path / piece.draft).unlink(missing_ok=True)

    def progressed(self, run: Run, told: Progressed) -> None:
        self._progress.progressed(run, told)
        self._tell()

    def forget(self, run: Run) -> None:
        """The task is over: what it had not finished is not there."""
        self._progress.forget(run)

    @property
    def made(self) -> Made:
        """What was made in this run, and of how many frames that are there."""
        made, progress = self._made, self._progress
        made.frames, made.nodes, made.seconds = progress.made, progress.nodes, progress.seconds
        made.total = made.frames + progress.resumed
        return made

    def _tell(self) -> None:
        shares = self._progress.shares
        done = sum(share.done for share in shares)
        self._watcher.shares(shares)
        self._watcher.frame(self._progress.resumed + done, sum(share.fps for share in shares))
