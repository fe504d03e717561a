"""Upscaling a film: made in pieces as planned, joined at the end; whatever happens, what was made stays."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.errors import EdgeSRError, InterruptedRun, MediaError, ResourceError
from edge_sr.machine.description import available_cores
from edge_sr.upscale.film_model import suited_model
from edge_sr.upscale.film_plan import MARKER, FilmPlan, check_named_output, plan_film
from edge_sr.upscale.pipeline import Flow, run_film
from edge_sr.upscale.request import Controls, Report, Request, TimedNetwork, Watcher, open_network
from edge_sr.version import __version__
from edge_sr.video.encode.muxing import join
from edge_sr.video.encode.segments import Segment, SegmentWriter
from edge_sr.video.encode.splicing import segments_end
from edge_sr.video.encode.workfolder import WorkFolder, input_identity, partial_for
from edge_sr.video.film.film import Film
from edge_sr.video.pixels import FromRgb


def upscale_film(request: Request, controls: Controls) -> Report:
    """One film; interrupted or failed, what was made so far stays and can be gone on with."""
    check_named_output(request)
    threads = max(1, available_cores() // 4)
    with Film(request.input, request.excerpt, hwaccel=request.hwaccel, threads=threads) as film:
        plan = plan_film(request, film, controls)
        settled = _with_model(_as_before(request, plan.output), film, controls.watcher)
        network = open_network(settled, controls.watcher)
        work = WorkFolder(plan.output)
        with network.upscaler, closing(work):
            work.open(_state(request, plan, network), resume=request.resume, overwrite=request.overwrite)
            return _FilmRun(request, controls, film, plan, network, work).run()


class _FilmRun:
    """One run over a film, with all that it needs at hand."""

    def __init__(
        self,
        request: Request,
        controls: Controls,
        film: Film,
        plan: FilmPlan,
        network: TimedNetwork,
        work: WorkFolder,
    ) -> None:
        self._request = request
        self._controls = controls
        self._film = film
        self._plan = plan
        self._network = network
        self._work = work
        self._done = len(work.segments()) * plan.length
        self._writer = SegmentWriter(work.path, plan.recipe, plan.length)

    def run(self) -> Report:
        watcher = self._controls.watcher
        watcher.begin(self._film.info.frames, self._done)
        self._work.reserve()
        try:
            flow = self._make_pieces()
            if flow.interrupted:
                raise self._stopped(self._done + flow.frames)
            self._writer.finish()
            self._work.release()
            lost = self._join()
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
        for leftover in (partial_for(self._plan.output), self._listing):
            leftover.unlink(missing_ok=True)
        return self._report(flow, lost)

    def _make_pieces(self) -> Flow:
        watcher, plan = self._controls.watcher, self._plan
        return run_film(
            self._film,
            self._network,
            self._writer,
            FromRgb(plan.recipe.colour, plan.encoding.layout),
            plan.target,
            first=self._done,
            stop=self._controls.stop,
            after_frame=lambda flow: watcher.frame(self._done + flow.taken, flow.taken / flow.seconds),
        )

    def _join(self) -> list[str]:
        """Joins the pieces and puts the film in its place."""
        joined = self._work.path / f"whole{self._plan.output.suffix}"
        lost = join(self._work.segments(), self._plan.joining, joined)
        (self._work.path / MARKER).touch()
        joined.replace(self._plan.output)
        return lost

    def _stopped(self, frames: int) -> InterruptedRun:
        """The interruption, all frames so far in a film that plays."""
        tail = self._writer.suspend()
        self._work.release()
        return InterruptedRun(f"stopped after {frames} frames: {self._kept(tail)}; {self._go_on}")

    def _explained(self, error: Exception) -> EdgeSRError | None:
        """The error with where the finished part is and how to go on; None when nothing was finished."""
        self._work.release()
        tail = self._writer.salvage()
        if tail is None and not self._work.segments():
            return None
        kept = f"{self._kept(tail)}; {self._go_on}"
        if isinstance(error, EdgeSRError):
            return type(error)(f"{error}; {kept}")
        return ResourceError(f"{type(error).__name__}: {error}; {kept}")

    @property
    def _go_on(self) -> str:
        return f"go on with: {self._request.go_on}"

    def _kept(self, tail: Segment | None) -> str:
        """Says where what was made so far plays from, having put it there."""
        segments = self._work.segments() + ([tail] if tail else [])
        if not segments:
            return "nothing was finished yet"
        try:
            partial = self._write_partial(segments)
        except EdgeSRError:
            # No room for a copy: a list of the pieces plays just as well.
            partial = self._list_pieces(segments)
        return f"{partial} plays what was made so far"

    def _write_partial(self, segments: list[Segment]) -> Path:
        partial = partial_for(self._plan.output)
        temporary = partial.with_name(f".{partial.name}")
        unit = self._plan.joining.time_base
        try:
            join(segments, self._plan.joining, temporary, until=segments_end(segments, unit) * unit)
            temporary.replace(partial)
        finally:
            temporary.unlink(missing_ok=True)
        return partial

    @property
    def _listing(self) -> Path:
        return partial_for(self._plan.output).with_suffix(".ffconcat")

    def _list_pieces(self, segments: list[Segment]) -> Path:
        """A list in FFmpeg's ffconcat form, which players built on FFmpeg open like a film."""
        if len(segments) == 1:
            return segments[0].path
        listing = self._listing
        names = (f"file '{segment.path.parent.name}/{segment.path.name}'" for segment in segments)
        listing.write_text("\n".join(["ffconcat version 1.0", *names, ""]))
        return listing

    def _report(self, flow: Flow, lost: list[str]) -> Report:
        plan, film = self._plan, self._film
        warnings = self._warnings()
        dropped = (*plan.joining.tracks.dropped, *lost)
        for text in [*(f"{plan.output.name} cannot hold {name}" for name in lost), *warnings]:
            self._controls.watcher.say(f"warning: {text}")
        if self._request.strict and (warnings or dropped):
            raise MediaError(f"{plan.output} was written, but --strict: {'; '.join([*warnings, *dropped])}")
        return self._network.report(
            output=plan.output,
            frames=flow.frames,
            seconds=flow.seconds,
            input_size=film.info.size,
            output_size=plan.written,
            codec=plan.encoding.codec.name,
            resumed_frames=film.decoded - flow.frames,
            bad_frames=film.bad_frames,
            dropped=dropped,
            warnings=tuple(warnings),
        )

    def _warnings(self) -> list[str]:
        found = list(self._film.warnings)
        if self._film.bad_frames:
            found.append(f"{self._film.bad_frames} bad frames in {self._request.input}")
        return found


def _as_before(request: Request, output: Path) -> Request:
    """When a run is gone on with, what was chosen in the earlier one: it may come to something else now."""
    settings = WorkFolder(output).recorded().get("settings", {}) if request.resume else {}
    chosen = {
        name: settings[name]
        for name in ("model", "backend", "precision")
        if getattr(request, name) in (None, "auto") and name in settings
    }
    return dataclasses.replace(request, **chosen)


def _with_model(request: Request, film: Film, watcher: Watcher) -> Request:
    """The network that suits the film, where none was asked for."""
    if request.model is not None:
        return request
    model, why = suited_model(film.info)
    watcher.say(f"{model} {why}")
    return dataclasses.replace(request, model=model)


def _state(request: Request, plan: FilmPlan, network: TimedNetwork) -> dict[str, Any]:
    """What a later run must have in common with this one."""
    upscaler, encoding = network.upscaler, plan.encoding
    settings = {
        "edge-sr": __version__,
        "model": upscaler.model,
        "graphs": sorted(graph.sha256 for graph in upscaler.bundle.description.graphs),
        "backend": upscaler.backend,
        "encoder backend": upscaler.encoder_backend,
        "precision": upscaler.precision,
        "placement": upscaler.placement,
        "size": list(plan.target.size),
        "region": list(request.region or ()),
        "start": str(request.excerpt.start),
        "duration": _text(request.excerpt.duration),
        "codec": encoding.codec.name,
        "codec options": dict(encoding.options),
        "pixel format": encoding.layout.name,
        "encoder threads": encoding.threads,
        "frames a piece": plan.length,
    }
    return {"input": input_identity(request.input), "settings": settings}


def _text(value: Fraction | None) -> str | None:
    return None if value is None else str(value)
