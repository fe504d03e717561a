"""Which pieces are to be made next, which are being made, and what has failed; no Ray in it, and no clock."""

from __future__ import annotations

import dataclasses
import statistics
from collections import deque
from collections.abc import Iterator

from edge_sr.farm.films.index import Piece

# A piece that failed on so many nodes, or so often where there are fewer, is at fault itself.
MOST_FAILURES = 3
# Workers are also killed for what others do on their machine: with few nodes it takes longer to be sure.
MOST_CRASHES = 10
# A copy of a piece is begun elsewhere when it takes this many times as long as others did.
STRAGGLING = 2.0
# Pieces of one task at most, and how many tasks are kept for each slot: the last ones are short.
LONGEST_SPAN, TASKS_A_SLOT = 8, 3


@dataclasses.dataclass(frozen=True)
class PieceFailure:
    """``crashed``: the worker was gone, instead of saying what was wrong."""

    node: str
    reason: str
    crashed: bool


@dataclasses.dataclass(eq=False)
class Run:
    """A task that makes ``pieces``, in order. ``node`` and its ``host`` are empty until it has begun; ``since``: when
    the piece that it is at was begun."""

    pieces: deque[Piece]
    node: str = ""
    host: str = ""
    since: float = 0.0
    is_copy: bool = False


class PieceQueue:
    """Hands out pieces and takes note of what becomes of them.

    ``source`` gives the film's pieces in order; ``expected`` is about how many there are. ``done`` is added to: the
    numbers of those that need not be made.
    """

    def __init__(self, source: Iterator[Piece], expected: int, done: set[int]) -> None:
        self._source = source
        self._expected = max(1, expected - len(done))
        self._again: deque[Piece] = deque()
        self._ahead: Piece | None = None
        self._handed = 0
        self._last: int | None = None
        self.done = done
        self.runs: list[Run] = []
        self.failures: dict[int, list[PieceFailure]] = {}
        self._seconds: deque[float] = deque(maxlen=64)

    @property
    def is_finished(self) -> bool:
        """Whether every piece of the film is made."""
        return self._last is not None and len(self.done) > self._last and self._ahead is None

    def next_run(self, slots: int) -> Run | None:
        """A task to begin; None while nothing waits. What failed goes first, each piece by itself."""
        pieces = self._span(slots)
        if not pieces:
            return None
        run = Run(deque(pieces))
        self.runs.append(run)
        return run

    def copy_of_straggler(self, now: float) -> Run | None:
        """A second task for the piece that takes longest, once nothing waits and others of its kind are long done."""
        slow = [run for run in self.runs if self._straggles(run, now)]
        if not slow:
            return None
        slowest = min(slow, key=lambda run: run.since)
        copy = Run(deque(slowest.pieces), is_copy=True)
        self.runs.append(copy)
        return copy

    def begun(self, run: Run, node: str, now: float) -> None:
        run.node, run.since = node, now

    def made(self, run: Run, number: int, now: float) -> bool:
        """Whether the piece is new; a copy may have been first."""
        self._seconds.append(now - run.since)
        run.since = now
        run.pieces = deque(piece for piece in run.pieces if piece.number != number)
        if number in self.done:
            return False
        self.done.add(number)
        self.failures.pop(number, None)
        return True

    def ended(self, run: Run) -> None:
        """The task is over; what it did not make waits again, unless another task is at it."""
        self.runs.remove(run)
        at_work = {piece.number for other in self.runs for piece in other.pieces}
        for piece in run.pieces:
            if piece.number not in self.done and piece.number not in at_work:
                self._again.append(piece)

    def failed(self, run: Run, reason: str, *, crashed: bool) -> list[PieceFailure] | None:
        """The task failed at its first piece. All failures of that piece when the film has to be given up for it."""
        piece = run.pieces[0] if run.pieces else None
        self.ended(run)
        if piece is None or not run.node:
            return None
        found = self.failures.setdefault(piece.number, [])
        found.append(PieceFailure(run.node, reason, crashed))
        nodes = {failure.node for failure in found}
        own = sum(not failure.crashed for failure in found)
        at_fault = len(nodes) >= MOST_FAILURES or own >= MOST_FAILURES or len(found) >= MOST_CRASHES
        return found if at_fault else None

    def is_overtaken(self, run: Run) -> bool:
        """Whether others have made all that the task is still at."""
        return bool(run.pieces) and all(piece.number in self.done for piece in run.pieces)

    def avoided(self, run: Run) -> set[str]:
        """Nodes that ``run`` should not go to: those where a piece of it failed or, for a copy, is being made."""
        numbers = {piece.number for piece in run.pieces}
        failed = {failure.node for number in numbers for failure in self.failures.get(number, ())}
        busy = {
            other.node
            for other in self.runs
            if run.is_copy and other is not run and numbers & {piece.number for piece in other.pieces}
        }
        return failed | busy

    def _straggles(self, run: Run, now: float) -> bool:
        if not run.node or run.is_copy or not run.pieces or not self._seconds:
            return False
        numbers = {piece.number for piece in run.pieces}
        copied = any(
            other.is_copy and numbers & {piece.number for piece in other.pieces} for other in self.runs
        )
        return not copied and now - run.since > STRAGGLING * statistics.median(self._seconds)

    def _span(self, slots: int) -> list[Piece]:
        while self._again:
            piece = self._again.popleft()
            if piece.number not in self.done:
                return [piece]
        left = max(0, self._expected - self._handed)
        length = min(LONGEST_SPAN, max(1, left // (slots * TASKS_A_SLOT)))
        span: list[Piece] = []
        while len(span) < length and (following := self._take()) is not None:
            span.append(following)
            if self._following_is_done():
                break
        self._handed += len(span)
        return span

    def _take(self) -> Piece | None:
        """The source's next piece that is not made yet."""
        while (piece := self._peek()) is not None:
            self._ahead = None
            if piece.number not in self.done:
                return piece
        return None

    def _peek(self) -> Piece | None:
        if self._ahead is None and self._last is None:
            self._ahead = next(self._source, None)
            if self._ahead is not None and self._ahead.end_pts is None:
                # The last one is known when it turns up, and is handed out like any other.
                self._last = self._ahead.number
        return self._ahead

    def _following_is_done(self) -> bool:
        following = self._peek()
        return following is not None and following.number in self.done
