"""What is told of a film while its pieces come in: each frame once, whoever makes it and however often."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.farm.films.index import Piece
from edge_sr.farm.films.intake import Intake
from edge_sr.farm.films.job import PieceMade, Progressed
from edge_sr.farm.films.queue import Run
from edge_sr.upscale.run.watcher import Silent
from edge_sr.upscaler import PartTimes
from edge_sr.video.encode.workfolder import WorkFolder

# Two whole pieces and a short one.
LENGTH, FRAMES = 4, 10
PIECES = [Piece(0, 0, 4, 4), Piece(1, 4, 8, 4), Piece(2, 8, None, 2)]


class Watching(Silent):
    def __init__(self) -> None:
        self.begun, self.done = -1, -1

    def begin(self, total: int, done: int) -> None:
        self.begun = done

    def frame(self, done: int, fps: float) -> None:
        self.done = done


@pytest.fixture
def work(tmp_path: Path) -> Iterator[WorkFolder]:
    folder = WorkFolder(tmp_path / "film.mkv")
    folder.open({}, resume=False, overwrite=False)
    yield folder
    folder.close()


def made(work: WorkFolder, number: int) -> PieceMade:
    draft = f"unfinished-{number:02x}.nut"
    (work.path / draft).write_bytes(b"piece")
    piece = PIECES[number]
    end = piece.first_pts + piece.frames
    return PieceMade(number, piece.first_pts, end, ".nut", piece.frames, PartTimes(), 0, (), (), draft, None)


def test_pieces_that_two_tasks_make_count_once(work: WorkFolder) -> None:
    watching, one, copy = Watching(), Run(deque(PIECES)), Run(deque(PIECES[1:]), is_copy=True)
    intake = Intake(work, LENGTH, FRAMES, watching)
    told = []

    def progressed(run: Run, frames: int) -> None:
        intake.progressed(run, Progressed(0 if run is one else 1, frames))
        told.append(watching.done)

    progressed(one, 7)  # all of piece 0, three frames of piece 1
    progressed(copy, 2)  # fewer of piece 1
    progressed(copy, 5)  # all of it, one frame of piece 2
    intake.take(one, made(work, 0))
    progressed(one, 10)
    intake.take(copy, made(work, 1))
    intake.discard(made(work, 1))  # the same, by the other task
    progressed(one, 10)
    assert told == [7, 7, 9, 10, 10]
    intake.forget(one)
    progressed(copy, 5)
    assert told[-1] == 9
    intake.take(copy, made(work, 2))
    assert watching.done == FRAMES


def test_what_an_earlier_run_made_counts_by_its_frames(work: WorkFolder) -> None:
    for number in (0, 2):
        work.adopt(work.path / str(made(work, number).draft), number, 4 * number, 4 * number + 4)
    for frames, guessed in ((FRAMES, 6), (0, 8)):  # 0: the film does not say how many it has
        watching, run = Watching(), Run(deque(PIECES[1:2]))
        intake = Intake(work, LENGTH, frames, watching)
        assert watching.begun == guessed
        assert list(intake.checked(iter(PIECES), decoding=False)) == PIECES
        intake.progressed(run, Progressed(1, 3))
        assert (watching.done, intake.made.total) == (9, 6)
