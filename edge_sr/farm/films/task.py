"""The task: some pieces of a film made on whatever node it runs on, each told of as soon as it is whole."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import queue
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge_sr.errors import EdgeSRError, ResourceError
from edge_sr.farm.films.job import Begun, Event, FilmJob, PieceMade, PieceRange, Progressed
from edge_sr.farm.films.transfer import local_input
from edge_sr.farm.nodes.trial import worker_network
from edge_sr.files.drafts import scratch_folder
from edge_sr.files.durable import to_disk
from edge_sr.machine.description import available_cores
from edge_sr.upscale.film_source import named_film
from edge_sr.upscale.pipeline import Flow, run_film
from edge_sr.upscale.run.medians import PartMedians
from edge_sr.upscale.surfaces import keep_on_gpu
from edge_sr.upscaler import PartTimes
from edge_sr.video.encode.segments import Segment, SegmentWriter
from edge_sr.video.encode.workfolder import CLUSTER
from edge_sr.video.film.film import Film
from edge_sr.video.timed import Timed

PROGRESS_SECONDS = 1.0


class PieceError(Exception):
    """Why a piece could not be made, in a form that every node can read."""


def make_pieces(job: FilmJob, span: PieceRange) -> Iterator[Event]:
    """Yields ``Begun``, then every piece of the span; raises ``PieceError``."""
    import ray

    yield Begun(ray.get_runtime_context().get_node_id(), platform.node())
    with scratch_folder() as folder:
        try:
            yield from _Making(job, span, folder).events()
        except EdgeSRError as error:
            if isinstance(error, ResourceError):
                # What broke it may be the device, so the next task opens it anew.
                with contextlib.suppress(EdgeSRError):
                    worker_network.close()
            raise PieceError(str(error)) from None


class CountedFilm:
    """A film that counts bad frames from a given frame on: those before are another task's."""

    def __init__(self, film: Film, first: int) -> None:
        self._film, self._first, self._before = film, first, 0
        self.info = film.info

    @property
    def bad_frames(self) -> int:
        return self._film.bad_frames - self._before

    def frames(self) -> Iterator[Timed[Any]]:
        for timed in self._film.frames():
            if timed.index == self._first and self._first:
                self._before = self._film.bad_frames
            yield timed


class _Making:
    """One task's work, done in a thread, so that what is whole can be told meanwhile."""

    def __init__(self, job: FilmJob, span: PieceRange, folder: Path) -> None:
        self._job, self._span, self._folder = job, span, folder
        self._told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._times: deque[PartTimes] = deque()
        self._reported = 0.0
        self._shared = _is_shared(job)

    def events(self) -> Iterator[Event]:
        thread = threading.Thread(target=self._guarded, name="pieces", daemon=True)
        thread.start()
        try:
            while (told := self._told.get()) is not None:
                if isinstance(told, BaseException):
                    raise told
                yield self._handed_over(*told) if isinstance(told, tuple) else told
        finally:
            self._stop.set()
            thread.join()

    def _guarded(self) -> None:
        try:
            self._work()
            self._told.put(None)
        except BaseException as error:
            self._told.put(error)

    def _work(self) -> None:
        job = self._job
        first, last = self._span.frames(job.length)
        cores = available_cores()
        threads = max(1, min(job.network.threads or cores, cores // 4))
        with named_film(dataclasses.replace(job.request, input=local_input(job)), threads=threads) as film:
            captions = film.keep_captions() if job.captions else None
            film.keeps_stereo = job.stereo
            if job.recipe.encoding.layout.has_alpha:
                film.keep_alpha()
            network, to_yuv = worker_network.opened(job.network), job.recipe.frame_maker()
            keep_on_gpu(film, network, to_yuv)
            if first:
                film.skip_to(first, self._span.pieces[0].first_pts)
            counted = CountedFilm(film, first)
            writer = SegmentWriter(
                self._folder, job.recipe, job.length, captions, self._finished(film, counted)
            )
            flow = run_film(
                counted,
                network,
                writer,
                to_yuv,
                job.target,
                first=first,
                last=last,
                stop=self._stop,
                after_frame=self._progress,
            )
            if not flow.interrupted:
                writer.finish()

    def _progress(self, flow: Flow) -> None:
        self._times.append(flow.latest)
        now = time.monotonic()
        if now - self._reported >= PROGRESS_SECONDS:
            self._reported = now
            self._told.put(Progressed(self._span.pieces[0].number, flow.taken))

    def _finished(self, film: Film, counted: CountedFilm) -> Callable[[Segment, int], None]:
        told = 0

        def finished(segment: Segment, frames: int) -> None:
            nonlocal told
            bad, told = counted.bad_frames - told, counted.bad_frames
            taken = min(frames, len(self._times))
            made = PieceMade(
                segment.index,
                segment.first_pts,
                segment.end_pts,
                segment.path.suffix,
                frames,
                PartMedians(self._times.popleft() for _ in range(taken)).median(),
                bad,
                tuple(film.warnings),
                tuple(film.lost),
            )
            self._told.put((made, segment.path))

        return finished

    def _handed_over(self, made: PieceMade, path: Path) -> PieceMade:
        """The piece where the driver finds it; its file here goes."""
        draft = self._put_into_shared(path) if self._shared else None
        data = None if draft else np.fromfile(path, dtype=np.uint8)
        path.unlink()
        return dataclasses.replace(made, draft=draft, data=data)

    def _put_into_shared(self, path: Path) -> str | None:
        """The draft's name; None where it cannot be written, so that it goes the other way."""
        draft = self._job.shared.path / f"unfinished-{secrets.token_hex(8)}{path.suffix}"
        try:
            shutil.copyfile(path, draft)
            to_disk(draft)
            return draft.name
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            return None


def _is_shared(job: FilmJob) -> bool:
    """Whether this node sees the driver's work folder and may write to it."""
    with contextlib.suppress(OSError):
        token = (job.shared.path / CLUSTER).read_text()
        return token == job.shared.token and os.access(job.shared.path, os.W_OK)
    return False
