"""The pieces that come in: put into the work folder, counted, and checked against where the film's frames should be."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

from edge_sr.farm.films.index import Piece
from edge_sr.farm.films.job import PieceMade, Progressed
from edge_sr.farm.films.queue import Run
from edge_sr.files.durable import to_disk
from edge_sr.upscale.making.maker import Made, NodeShare
from edge_sr.upscale.run.watcher import Watcher
from edge_sr.video.encode.segments import Segment
from edge_sr.video.encode.workfolder import WorkFolder
from edge_sr.video.opening import writing

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
        self._resumed = {number: self._about(number, frames) for number in self.present}
        self._frames: dict[int, int] = {}
        self._hosts: dict[int, str] = {}
        self._under_way: dict[Run, dict[int, int]] = {}
        self._made = Made()
        self._began = time.monotonic()
        watcher.begin(frames, sum(self._resumed.values()))

    def _about(self, number: int, frames: int) -> int:
        """The frames of a piece that is there already, until the film's packets tell them."""
        return max(0, min(self._length, frames - number * self._length)) if frames else self._length

    def checked(self, pieces: Iterator[Piece], *, decoding: bool) -> Iterator[Piece]:
        """The pieces, those that are there already compared with them on the way: with ``decoding`` wrong ones go."""
        found = self._work.pieces()
        for piece in pieces:
            segment = found.pop(piece.number, None)
            if segment is not None and not piece.agrees(segment.first_pts, segment.end_pts):
                self._remove(segment, decoding)
            elif segment is not None and piece.number not in self._frames:
                self._resumed[piece.number] = piece.frames
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
        self._frames.pop(segment.index, None)
        self._resumed.pop(segment.index, None)

    def take(self, run: Run, piece: PieceMade) -> None:
        draft = self._work.path / (piece.draft or f"unfinished-{secrets.token_hex(8)}{piece.suffix}")
        with writing(str(self._work.path)):
            if piece.data is not None:
                with draft.open("wb") as file:
                    file.write(piece.data.data)
                to_disk(draft)
            self._work.adopt(draft, piece.number, piece.first_pts, piece.end_pts)
        self._frames[piece.number] = piece.frames
        self._hosts[piece.number] = run.host
        made = self._made
        made.times.append(piece.times)
        made.bad_frames += piece.bad_frames
        made.warnings += [text for text in piece.warnings if text not in made.warnings]
        made.lost += [name for name in piece.lost if name not in made.lost]
        self._tell()

    def discard(self, piece: PieceMade) -> None:
        """A piece that is there already, or that is not one of the film's."""
        if piece.draft is not None:
            (self._work.path / piece.draft).unlink(missing_ok=True)

    def progressed(self, run: Run, told: Progressed) -> None:
        """Takes note of how far a task is with each of its pieces, which it makes in order."""
        shares = self._under_way[run] = {}
        number, left = told.first, told.frames
        while left > 0:
            shares[number] = min(left, self._length)
            number, left = number + 1, left - self._length
        self._tell()

    def forget(self, run: Run) -> None:
        """The task is over: what it had not finished is not there."""
        self._under_way.pop(run, None)

    @property
    def made(self) -> Made:
        """What was made in this run, and of how many frames that are there."""
        made = self._made
        made.frames = sum(self._frames.values())
        made.nodes = [self._share(host) for host in sorted(set(self._hosts.values()))]
        made.seconds = time.monotonic() - self._began
        made.total = made.frames + sum(self._resumed.values())
        return made

    def _share(self, host: str) -> NodeShare:
        numbers = [number for number in self._frames if self._hosts[number] == host]
        return NodeShare(host, len(numbers), sum(self._frames[number] for number in numbers))

    def _tell(self) -> None:
        """A piece counts once, however many tasks are at it."""
        furthest: dict[int, int] = {}
        for shares in self._under_way.values():
            for number, share in shares.items():
                if number not in self._frames:
                    furthest[number] = max(share, furthest.get(number, 0))
        done = sum(self._frames.values()) + sum(furthest.values())
        seconds = time.monotonic() - self._began
        self._watcher.frame(sum(self._resumed.values()) + done, done / seconds if seconds else 0.0)
