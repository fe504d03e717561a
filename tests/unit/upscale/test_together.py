"""What is told of several films at a time: all frames, each film's and each node's."""

from __future__ import annotations

from collections.abc import Sequence

from edge_sr.upscale.batch.together import Board, FilmOnBoard
from edge_sr.upscale.run.watcher import Share, Silent


class Watching(Silent):
    def __init__(self) -> None:
        self.done = 0
        self.rows: list[tuple[str, int, int]] = []

    def frame(self, done: int, fps: float) -> None:
        self.done = done

    def shares(self, shares: Sequence[Share]) -> None:
        self.rows = [(share.name, share.done, share.total) for share in shares]


def test_films_that_end_go_and_what_their_nodes_did_stays() -> None:
    watching = Watching()
    board = Board(watching)
    first, second = FilmOnBoard(board, "a.mkv"), FilmOnBoard(board, "b.mkv")
    first.begin(20, 4)  # four frames are there from an earlier run
    second.begin(0, 0)
    first.shares([Share("one", 6, 1.0)])
    first.frame(10, 1.0)
    second.shares([Share("one", 3, 1.0), Share("two", 5, 1.0)])
    second.frame(8, 1.0)
    assert watching.done == 14
    assert watching.rows == [("a.mkv", 10, 20), ("b.mkv", 8, 0), ("one", 9, 0), ("two", 5, 0)]
    first.end()
    second.frame(9, 1.0)
    assert watching.done == 15
    assert watching.rows == [("b.mkv", 9, 0), ("one", 9, 0), ("two", 5, 0)]
