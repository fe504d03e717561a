"""Handing out a film's pieces to nodes and taking them in, whatever becomes of workers and nodes meanwhile."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from edge_sr.errors import ResourceError, last_line
from edge_sr.farm.films.index import Piece
from edge_sr.farm.films.intake import Intake, MovedFrames
from edge_sr.farm.films.job import Begun, FilmJob, PieceMade, PieceRange, Progressed
from edge_sr.farm.films.queue import PieceFailure, PieceQueue, Run
from edge_sr.farm.nodes.asking import ClusterNode, node_selector
from edge_sr.farm.nodes.joining import JoiningNodes

# How often nodes that went are looked for, and how long none at all is borne, in seconds.
LOOK_SECONDS, PATIENCE_SECONDS = 1.0, 120.0
# Told but not yet taken in: a worker that is ahead of the driver waits.
MOST_TOLD = 16


class Nodes(Protocol):
    """What is asked of a ``Fleet``: the nodes that tasks may go to, and what each task takes of them."""

    @property
    def nodes(self) -> Mapping[str, ClusterNode]: ...
    @property
    def cpus(self) -> int: ...
    @property
    def gpus(self) -> int: ...
    @property
    def slots(self) -> int: ...
    @property
    def is_blind(self) -> bool: ...

    def slots_of(self, node: ClusterNode) -> int: ...
    def forget_lost(self) -> None: ...
    def take_in_new(self) -> None: ...


class Dispatcher:
    """Has ``task``, called as ``make_pieces`` is, make pieces on ``nodes``; each takes so many bytes of ``memory``.

    ``serve`` gives what serves the input to nodes that do not see it.
    """

    def __init__(
        self,
        ray: Any,
        nodes: Nodes,
        task: Callable[..., Any],
        stop: threading.Event,
        *,
        memory: int = 0,
        serve: Callable[[], Any] = lambda: None,
    ) -> None:
        self._ray, self._nodes, self._stop, self._memory, self._serve = ray, nodes, stop, memory, serve
        self._tasks: dict[Any, Run] = {}
        self._remote = ray.remote(task)
        self._joining = JoiningNodes(nodes.take_in_new)
        self._looked = self._had_nodes = time.monotonic()

    def make(self, job: FilmJob, pieces: Iterator[Piece], intake: Intake) -> None:
        """Returns when all are made or ``stop`` is set. Raises ``MovedFrames``, or ``ResourceError`` for a piece that
        always fails and for a cluster without nodes; whatever it ends with, no task goes on."""
        queue = PieceQueue(pieces, intake.expected, intake.present)
        try:
            while not queue.is_finished and not self._stop.is_set():
                job = self._look_at_nodes(job)
                self._hand_out(job, queue)
                ready, _ = self._ray.wait(list(self._tasks), timeout=0.5) if self._tasks else ([], [])
                for task in ready:
                    self._take(task, queue, intake)
            intake.is_whole = queue.is_finished
        finally:
            self._cancel_all(intake)

    def _look_at_nodes(self, job: FilmJob) -> FilmJob:
        """Nodes that left or joined; the input is served as soon as one is among them that does not see it."""
        now = time.monotonic()
        if now - self._looked > LOOK_SECONDS:
            self._looked = now
            self._nodes.forget_lost()
        self._joining.look()
        if self._nodes.slots:
            self._had_nodes = now
        elif now - self._had_nodes > PATIENCE_SECONDS:
            raise ResourceError(f"the cluster has had no node left for {PATIENCE_SECONDS:.0f} s")
        elif not self._tasks:
            time.sleep(0.5)
        if self._nodes.is_blind and job.source is None:
            return dataclasses.replace(job, source=self._serve())
        return job

    def _hand_out(self, job: FilmJob, queue: PieceQueue) -> None:
        """A task for every slot and a few that wait, so that none is idle for the driver's sake."""
        slots = self._nodes.slots
        if not slots:
            return
        while len(self._tasks) < slots + max(1, slots // 8):
            run = queue.next_run(slots)
            if run is None and len(self._tasks) < slots:
                run = queue.copy_of_straggler(time.monotonic())
            if run is None:
                return
            self._tasks[self._submit(job, queue, run)] = run

    def _submit(self, job: FilmJob, queue: PieceQueue, run: Run) -> Any:
        nodes = self._nodes
        names = [name for name, node in nodes.nodes.items() if nodes.slots_of(node)]
        wanted = [name for name in names if name not in queue.avoided(run)] or names
        return self._remote.options(
            num_cpus=nodes.cpus,
            num_gpus=nodes.gpus,
            memory=self._memory,
            label_selector=node_selector(wanted),
            max_retries=0,
            _generator_backpressure_num_objects=MOST_TOLD,
        ).remote(job, PieceRange(tuple(run.pieces)))

    def _take(self, task: Any, queue: PieceQueue, intake: Intake) -> None:
        """The next thing that a task has to tell, or how it ended."""
        run, now = self._tasks[task], time.monotonic()
        try:
            told = self._ray.get(next(task))
        except StopIteration:
            self._end(task, intake)
            queue.ended(run)
            if run.pieces:
                # The film ended before its packets said so.
                raise MovedFrames from None
        except Exception as error:
            self._end(task, intake)
            self._note_failure(queue, run, error)
        else:
            if isinstance(told, Begun):
                queue.begun(run, told.node, now)
                run.host = told.host
            elif isinstance(told, Progressed):
                intake.progressed(run, told)
            else:
                self._take_in(task, told, queue, intake, now)

    def _take_in(self, task: Any, made: PieceMade, queue: PieceQueue, intake: Intake, now: float) -> None:
        run = self._tasks[task]
        piece = next((one for one in run.pieces if one.number == made.number), None)
        if piece is None or not piece.agrees(made.first_pts, made.end_pts):
            intake.discard(made)
            raise MovedFrames
        if queue.made(run, made.number, now):
            intake.take(run, made)
        else:
            intake.discard(made)
        for other in [other for other, at in self._tasks.items() if queue.is_overtaken(at)]:
            self._cancel_one(other, queue, intake)

    def _note_failure(self, queue: PieceQueue, run: Run, error: Exception) -> None:
        ray = self._ray
        own = isinstance(error, ray.exceptions.RayTaskError)
        lost = isinstance(
            error,
            (
                ray.exceptions.NodeDiedError,
                ray.exceptions.ObjectLostError,
                ray.exceptions.TaskUnschedulableError,
            ),
        )
        if isinstance(error, ray.exceptions.TaskCancelledError) or lost or self._is_gone(run.node):
            queue.ended(run)
            return
        reason = last_line(getattr(error, "cause", None) or error)
        at_fault = queue.failed(run, reason, crashed=not own)
        if at_fault is not None:
            raise ResourceError(_given_up(run, at_fault, self._nodes.nodes))

    def _is_gone(self, node: str) -> bool:
        """Whether the node itself went, which is no fault of the piece."""
        return bool(node) and any(
            facts["NodeID"] == node and not facts["Alive"] for facts in self._ray.nodes()
        )

    def _end(self, task: Any, intake: Intake) -> Run:
        run = self._tasks.pop(task)
        intake.forget(run)
        return run

    def _cancel_one(self, task: Any, queue: PieceQueue, intake: Intake) -> None:
        queue.ended(self._end(task, intake))
        self._cancel(task)

    def _cancel_all(self, intake: Intake) -> None:
        for task in list(self._tasks):
            # One that has told of all its pieces ends by itself; Ray aborts this process if it is cancelled meanwhile.
            if self._end(task, intake).pieces:
                self._cancel(task)

    def _cancel(self, task: Any) -> None:
        with contextlib.suppress(Exception):
            self._ray.cancel(task, force=False)


def _given_up(run: Run, failures: list[PieceFailure], nodes: Mapping[str, ClusterNode]) -> str:
    names = {name: node.host for name, node in nodes.items()}
    told = "; ".join(f"on {names.get(one.node, one.node[:8])}: {one.reason}" for one in failures[-3:])
    number = run.pieces[0].number
    return f"piece {number} of the film failed {len(failures)} times ({told})"
