"""Upscaling several films and pictures, one after the other: a fault of one is that one's alone."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from edge_sr.errors import (
    DeviceError,
    DiskFullError,
    EdgeSRError,
    EngineError,
    InterruptedRun,
    ResourceError,
    as_ours,
)
from edge_sr.files.drafts import remove_dead_drafts
from edge_sr.masking import masked_report
from edge_sr.upscale.batch.listing import gather, read_lists
from edge_sr.upscale.batch.targets import Job, output_folder, plan_jobs
from edge_sr.upscale.batch.together import Board, FilmOnBoard, work_together
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.networks import Networks
from edge_sr.upscale.run.pace import Pace
from edge_sr.upscale.run.report import Failure, Report
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.run.watcher import Words
from edge_sr.upscale.stills import refuse_film_options
from edge_sr.upscale.upscale import upscale_single

State = Literal["done", "skipped", "failed"]


@dataclasses.dataclass(frozen=True)
class InputOutcome:
    """What became of one input: a ``report``, or the ``error`` that it failed with."""

    input: str
    report: Report | None = None
    error: EdgeSRError | None = None

    @property
    def state(self) -> State:
        """``skipped``: an earlier run had made it."""
        if self.report is None:
            return "failed"
        return "skipped" if self.report.was_done else "done"

    @property
    def failure(self) -> Failure:
        return Failure(self.input, str(self.error))

    def mapping(self) -> dict[str, Any]:
        """A line of JSON."""
        facts: dict[str, Any] = {"input": self.input, "state": self.state}
        if self.report is not None:
            facts |= self.report.mapping()
        if self.error is not None:
            facts |= {"error": str(self.error), "exit_code": self.error.exit_code}
        return masked_report(facts)


Told = Callable[[InputOutcome], None]


def plan_batch(request: Request, inputs: Sequence[str], controls: Controls) -> list[Job]:
    """What there is to do for ``inputs``: films, pictures, addresses, folders and lists (``@FILE``).

    ``request.output`` is a folder; without it each film or picture goes beside its input, what lies in a folder into a
    folder beside that. Everything that can be refused before the work is refused here.
    """
    say = controls.watcher.say
    sources = gather(read_lists(inputs), request, lambda folder: output_folder(request, folder), say)
    jobs = plan_jobs(request, sources)
    if all(job.source.is_picture for job in jobs):
        refuse_film_options(request)
    return jobs


def run_batch(request: Request, jobs: Sequence[Job], controls: Controls, told: Told) -> list[InputOutcome]:
    """Runs the jobs in order; ``told`` hears of each as it ends.

    Raises ``InterruptedRun`` once ``controls.stop`` is set, and ``ResourceError`` for what every other would fail by
    too: a full disk, a lost GPU, an output folder that went.
    """
    for folder in {job.target.parent for job in jobs if job.target is not None}:
        remove_dead_drafts(folder)
    batch = RunningBatch(request, controls, told, len(jobs))
    try:
        batch.warm_up()
        for pictures, group in itertools.groupby(jobs, key=lambda job: job.source.is_picture):
            (batch.pictures if pictures else batch.films)(list(group))
    finally:
        batch.close()
    return batch.outcomes


class RunningBatch:
    """A batch that is under way: its outcomes so far, and the network that its runs share. ``total``: how many inputs
    there are, or None where more may come."""

    def __init__(self, request: Request, controls: Controls, told: Told, total: int | None) -> None:
        self._request, self._told, self._total = request, told, total
        self._networks = Networks(keeps=True)
        self._controls = dataclasses.replace(controls, networks=self._networks)
        self.outcomes: list[InputOutcome] = []
        self._turn = threading.Lock()

    def warm_up(self) -> None:
        """Opens the network, so that what is missing or mistyped is said once, and before the first input.

        A cluster's nodes open their own.
        """
        if self._controls.films_at_once > 1:
            return
        self._networks.warm_up(self._request)

    def films(self, jobs: Iterable[Job]) -> None:
        at_once = self._controls.films_at_once
        if at_once > 1:
            self._films_together(jobs, at_once)
            return
        for job in jobs:
            self._check_stop()
            of = "" if self._total is None else f" of {self._total}"
            self._controls.watcher.say(f"{len(self.outcomes) + 1}{of}: {job.source.name}")
            self._run(job, self._controls)

    def _films_together(self, jobs: Iterable[Job], at_once: int) -> None:
        board = Board(self._controls.watcher)

        def work(job: Job) -> None:
            self._check_stop()
            self._run(job, dataclasses.replace(self._controls, watcher=FilmOnBoard(board, job.source.name)))

        try:
            work_together(jobs, work, at_once)
        finally:
            board.watcher.end()

    def pictures(self, jobs: Sequence[Job]) -> None:
        """Pictures in a row, whose progress is told together."""
        watcher = self._controls.watcher
        quiet = dataclasses.replace(self._controls, watcher=Words(watcher))
        watcher.begin(len(jobs), 0)
        try:
            pace = Pace()
            for number, job in enumerate(jobs, 1):
                self._check_stop()
                self._run(job, quiet)
                watcher.frame(number, pace.at(number))
        finally:
            watcher.end()

    def close(self) -> None:
        self._networks.close()

    @property
    def inputs(self) -> str:
        """How many there were so far, in words."""
        count = len(self.outcomes)
        return "1 input" if count == 1 else f"{count} inputs"

    def _check_stop(self) -> None:
        if self._controls.stop.is_set():
            raise self._stopped("")

    def _run(self, job: Job, controls: Controls) -> None:
        try:
            if job.target is not None:
                job.target.parent.mkdir(parents=True, exist_ok=True)
            outcome = InputOutcome(job.source.name, upscale_single(job.request(self._request), controls))
        except InterruptedRun as error:
            raise self._stopped(str(error)) from error
        except Exception as error:
            explained = _explained(error)
            outcome = InputOutcome(job.source.name, error=explained)
            controls.watcher.say(f"failed: {outcome.failure.error}")
            if _ends_all(explained, job):
                self.tell(outcome)
                raise explained from error
        self.tell(outcome)

    def tell(self, outcome: InputOutcome) -> None:
        with self._turn:
            self.outcomes.append(outcome)
            self._told(outcome)

    def _stopped(self, last: str) -> InterruptedRun:
        if last:
            return InterruptedRun(f"stopped in input {len(self.outcomes) + 1}, {last}")
        return InterruptedRun(f"stopped after {self.inputs}; go on with: {self._request.go_on}")


def _explained(error: Exception) -> EdgeSRError:
    """The error as one of ours; one that nobody foresaw costs its own input alone, too."""
    found = as_ours(error)
    if found is None:
        found = EdgeSRError(
            f"unexpected {type(error).__name__}: {error}; run it alone with --debug for the traceback"
        )
    return found


def _ends_all(error: EdgeSRError, job: Job) -> bool:
    if isinstance(error, (DiskFullError, DeviceError, EngineError)):
        return True
    return isinstance(error, ResourceError) and job.target is not None and not job.target.parent.is_dir()
