"""A film's segments made by this process, one after another, from the first that is missing on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from threading import Event

from edge_sr.upscale.film_plan import FilmPlan
from edge_sr.upscale.making.maker import Made
from edge_sr.upscale.pipeline import run_film
from edge_sr.upscale.run.networks import NetworkSource
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.run.watcher import Watcher
from edge_sr.upscale.surfaces import keep_on_gpu
from edge_sr.upscaler import Upscaler
from edge_sr.video.encode.segments import Segment, SegmentWriter, gaps
from edge_sr.video.encode.workfolder import WorkFolder
from edge_sr.video.film.film import Film


class LocalMaker:
    """One run over a film by an open network."""

    def __init__(self, film: Film, plan: FilmPlan, network: Upscaler, watcher: Watcher, stop: Event) -> None:
        self.network = network
        self._film, self._plan, self._watcher, self._stop = film, plan, watcher, stop
        self._writer: SegmentWriter | None = None

    def make(self, work: WorkFolder) -> Made:
        plan, film = self._plan, self._film
        self._writer = SegmentWriter(work.path, plan.recipe, plan.length, film.captions)
        to_yuv = plan.recipe.frame_maker()
        keep_on_gpu(film, self.network, to_yuv)
        made, present = Made(), work.pieces()
        done = len(present) * plan.length
        self._watcher.begin(film.info.frames, done)
        for first, last in gaps(present):
            if first:
                film.skip_to(first * plan.length, present[first - 1].end_pts)
            flow = run_film(
                film,
                self.network,
                self._writer,
                to_yuv,
                plan.target,
                first=first * plan.length,
                last=None if last is None else last * plan.length,
                stop=self._stop,
                after_frame=lambda flow: self._watcher.frame(done + made.frames + flow.taken, flow.fps),
            )
            made.frames += flow.frames
            made.seconds += flow.seconds
            made.times.include(flow.times)
            made.interrupted = flow.interrupted
            if flow.interrupted:
                break
            self._writer.finish()
        made.total, made.bad_frames = film.decoded, film.bad_frames
        made.warnings, made.lost = film.warnings, film.lost
        return made

    def suspend(self) -> Segment | None:
        return None if self._writer is None else self._writer.suspend()

    def salvage(self) -> Segment | None:
        return None if self._writer is None else self._writer.salvage()


class Here:
    """Makes segments in this process, which one film keeps busy, by what ``networks`` opens."""

    films_at_once = 1

    def __init__(self, networks: NetworkSource) -> None:
        self._networks = networks

    @contextlib.contextmanager
    def opened(
        self, request: Request, film: Film, plan: FilmPlan, watcher: Watcher, stop: Event
    ) -> Iterator[LocalMaker]:
        with self._networks.opened(request, watcher) as network:
            yield LocalMaker(film, plan, network, watcher, stop)
