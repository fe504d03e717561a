"""Upscaling a film: made in segments as planned, muxed at the end; whatever happens, what was made stays."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

from edge_sr.errors import (
    DiskFullError,
    EdgeSRError,
    InterruptedRun,
    MediaError,
    ResourceError,
    as_ours,
)
from edge_sr.files.atomic import replacing, write_whole, writing
from edge_sr.upscale.earlier_run import as_before, finished_report, is_finished, run_state
from edge_sr.upscale.film_model import with_model
from edge_sr.upscale.film_plan import FilmPlan, check_named_output, plan_film
from edge_sr.upscale.film_source import PipedFilm, opened_film
from edge_sr.upscale.making.here import Here
from edge_sr.upscale.making.maker import Made, Maker
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.report import Report, damage, report
from edge_sr.upscale.run.request import Request
from edge_sr.video.encode.segments import Segment
from edge_sr.video.encode.workfolder import WorkFolder, partial_for
from edge_sr.video.mux.mux import Muxed, MuxPlan
from edge_sr.video.mux.whole import mux, pictures_alone


def upscale_film(request: Request, controls: Controls) -> Report:
    """One film; interrupted or failed, what was made so far stays and can be gone on with."""
    check_named_output(request)
    with opened_film(request, controls) as source:
        film = source.film
        plan = plan_film(request, film, controls.watcher.say)
        if is_finished(request, plan.output):
            return finished_report(request, film, plan, controls)
        settled = with_model(as_before(request, plan.output), film.info, controls.watcher.say)
        work = WorkFolder(plan.output)
        makers = controls.makers or Here(controls.networks)
        with (
            makers.opened(settled, film, plan, controls.watcher, controls.stop) as maker,
            closing(work),
        ):
            state = run_state(request, plan, maker.network, work)
            work.open(state, resume=request.resume, overwrite=request.overwrite)
            return _FilmRun(request, controls, source, plan, maker, work).run()


class _FilmRun:
    """One run over a film, with all that it needs at hand."""

    def __init__(
        self,
        request: Request,
        controls: Controls,
        source: PipedFilm,
        plan: FilmPlan,
        maker: Maker,
        work: WorkFolder,
    ) -> None:
        self._request = request
        self._controls = controls
        self._source, self._film = source, source.film
        self._plan = plan
        self._maker = maker
        self._work = work
        # The plan has told of these.
        self._said = source.film.lost

    def run(self) -> Report:
        watcher = self._controls.watcher
        self._done = len(self._work.pieces()) * self._plan.length
        self._work.reserve()
        try:
            made = self._maker.make(self._work)
            if made.interrupted:
                raise self._stopped(self._done + made.frames)
            self._work.release()
            muxed = self._mux()
        except InterruptedRun:
            raise
        except Exception as error:
            explained = self._explained(error)
            if explained is None:
                self._work.remove()
                raise
            raise explained from error
        finally:
            watcher.end()
        self._work.remove()
        return self._report(made, muxed)

    def _mux(self) -> Muxed:
        """Joins the segments and puts the film in its place."""
        muxed = self._work.path / f"whole{self._plan.output.suffix}"
        muxed.unlink(missing_ok=True)
        segments = self._work.segments()
        _check_room(segments, muxed)
        try:
            found = mux(segments, self._muxing(segments), muxed)
            self._work.finish(muxed, self._plan.output)
        finally:
            muxed.unlink(missing_ok=True)
        return found

    def _muxing(self, segments: list[Segment]) -> MuxPlan:
        """The plan; what came through a pipe cannot be read again, and has no tracks but the picture."""
        plan = self._plan.muxing
        return pictures_alone(segments, plan) if self._request.reads_pipe else plan

    def _stopped(self, frames: int) -> InterruptedRun:
        """The interruption, all frames so far in a film that plays."""
        tail = self._maker.suspend()
        self._work.release()
        return InterruptedRun(f"stopped after {frames} frames: {self._kept(tail)}; {self._go_on}")

    def _explained(self, error: Exception) -> EdgeSRError | None:
        """The error with where the finished part is and how to go on; None when nothing was finished."""
        self._work.release()
        tail = self._maker.salvage()
        if tail is None and not self._work.segments():
            return None
        kept = f"{self._kept(tail)}; {self._go_on}"
        ours = as_ours(error) or ResourceError(f"{type(error).__name__}: {error}")
        return type(ours)(f"{ours}; {kept}")

    @property
    def _go_on(self) -> str:
        if self._request.reads_pipe:
            return "what comes through a pipe cannot be gone on with"
        return f"go on with: {self._request.go_on}"

    def _kept(self, tail: Segment | None) -> str:
        """Says where what was made so far plays from, having put it there."""
        segments = self._work.segments() + ([tail] if tail else [])
        if not segments:
            return "nothing was finished yet"
        # Where the input is gone, the picture alone; where there is no room for a copy, a list of the segments.
        ways = [self._write_partial, self._write_pictures, self._list_segments]
        while ways:
            try:
                return f"{ways.pop(0)(segments)} plays what was made so far"
            except DiskFullError:
                ways = ways[-1:]
            except (EdgeSRError, OSError):
                continue
        return f"{self._work.path} holds what was made so far"

    def _write_pictures(self, segments: list[Segment]) -> Path:
        return self._write_partial(segments, pictures_alone(segments, self._plan.muxing))

    def _write_partial(self, segments: list[Segment], muxing: MuxPlan | None = None) -> Path:
        muxing = muxing or self._muxing(segments)
        unit = muxing.recipe.time_base
        partial = self._work.place_beside(partial_for(self._plan.output))
        _check_room(segments, partial)
        with replacing(partial) as draft:
            mux(segments, muxing, draft, until=segments[-1].end_pts * unit)
        return partial

    def _list_segments(self, segments: list[Segment]) -> Path:
        """A list in FFmpeg's ffconcat form, which players built on FFmpeg open like a film."""
        if len(segments) == 1:
            return segments[0].path
        listing = self._work.place_beside(partial_for(self._plan.output).with_suffix(".ffconcat"))
        folder = segments[0].path.parent.name.replace("'", "'\\''")
        names = (f"file '{folder}/{segment.path.name}'" for segment in segments)
        write_whole(listing, "\n".join(["ffconcat version 1.0", *names, ""]).encode())
        return listing

    def _report(self, made: Made, muxed: Muxed) -> Report:
        plan, film = self._plan, self._film
        found = damage(made.warnings, made.bad_frames, self._request.input)
        warnings = [*found, *muxed.warnings]
        told = plan.muxing.tracks.dropped
        lost = [name for name in (*muxed.lost, *made.lost) if name not in told]
        dropped = (*told, *lost)
        unsaid = [name for name in lost if name not in self._said]
        for text in [*(f"left out of {plan.output.name}: {name}" for name in unsaid), *warnings]:
            self._controls.watcher.say(f"warning: {text}")
        if self._request.strict and (warnings or dropped):
            raise MediaError(f"{plan.output} was written, but --strict: {'; '.join([*warnings, *dropped])}")
        return report(
            self._maker.network,
            made.times,
            output=plan.output,
            frames=made.frames,
            seconds=made.seconds,
            input_size=film.info.size,
            output_size=plan.written,
            codec=plan.encoding.codec.name,
            resumed_frames=made.total - made.frames,
            bad_frames=made.bad_frames,
            dropped=dropped,
            warnings=tuple(warnings),
            notes=tuple(made.notes),
            nodes=None if made.nodes is None else tuple(made.nodes),
        )


def _check_room(segments: list[Segment], target: Path) -> None:
    """Raises ``DiskFullError`` when the segments alone need more room for a copy than there is."""
    needed = sum(segment.path.stat().st_size for segment in segments)
    with writing(str(target)):
        free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise DiskFullError(
            f"muxing takes {needed >> 20} MiB, and {target.parent} has {free >> 20} MiB left: free some"
        )
