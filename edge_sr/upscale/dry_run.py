"""What a run would do and roughly cost, told without writing the output: a sample is upscaled and thrown away."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.errors import EdgeSRError, MediaError, OptionError
from edge_sr.files.drafts import scratch_folder
from edge_sr.sizes import Size
from edge_sr.upscale.film_model import suited_model
from edge_sr.upscale.film_plan import check_named_output, plan_film
from edge_sr.upscale.inputs.animations import as_film, needs_pillow
from edge_sr.upscale.inputs.pipes import is_pipe
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.places import check_output
from edge_sr.upscale.run.report import Failure, Report
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale
from edge_sr.video.film.film import Excerpt, Film, FilmInfo
from edge_sr.video.image.recognise import is_still
from edge_sr.video.opening import is_opened_by_name
from edge_sr.video.protocols import is_address

# Enough for the encoder's first frames to matter little, few enough for a 4K film on two cores.
SAMPLE_FRAMES = 12


@dataclasses.dataclass(frozen=True)
class Outline:
    """What would be done. Estimates are scaled from ``sample_frames`` frames that were really upscaled and encoded.

    ``frames`` is 0 and the estimates are None where the film doesn't say how long it is.
    """

    input: str
    output: str
    frames: int
    input_size: Size
    output_size: Size
    model: str
    model_reason: str
    backend: str
    encoder_backend: str
    precision: str
    codec: str | None
    tracks_kept: tuple[str, ...]
    tracks_lost: tuple[str, ...]
    sample_frames: int
    estimated_seconds: float | None
    estimated_bytes: int | None
    failed: tuple[Failure, ...] = ()

    def mapping(self) -> dict[str, Any]:
        """The outline as JSON has it; keys without a value are left out."""
        facts = dataclasses.asdict(self)
        return {"dry_run": True, **{key: value for key, value in facts.items() if value is not None}}


def outline(request: Request, controls: Controls) -> Outline:
    """The outline of one film or picture; raises what ``upscale`` would refuse, and ``OptionError`` for a stream."""
    path = Path(request.input)
    if is_address(request.input) or request.reads_pipe or is_pipe(request.input):
        raise OptionError("--dry-run reads a sample first, so it needs a file or a folder, not a stream")
    refuse_resume(request)
    if not is_opened_by_name(request.input) and is_still(path):
        return _picture(request, path, controls)
    if not is_opened_by_name(request.input) and needs_pillow(path):
        return _animation(request, path, controls)
    return _film(request, controls)


def refuse_resume(request: Request) -> None:
    if request.resume:
        raise OptionError("--dry-run tells of a whole run: leave --resume out")


def _film(request: Request, controls: Controls) -> Outline:
    check_named_output(request)
    with Film(request.input, request.excerpt, protocols=request.protocols, tone_map=request.tonemap) as film:
        plan, info = plan_film(request, film, controls.watcher.say), film.info
        tracks = plan.muxing.tracks
        lost = (*tracks.dropped, *film.lost)
    model, reason = (request.model, "as asked for") if request.model else suited_model(info)
    settled = dataclasses.replace(request, model=model)
    with scratch_folder() as folder:
        sample = folder / f"sample{plan.output.suffix}"
        report = _sampled(dataclasses.replace(settled, output=sample), info, controls)
        size = sample.stat().st_size
    share = info.frames / report.frames if info.frames else None
    return Outline(
        **_facts(request, plan.output, report, reason),
        frames=info.frames,
        tracks_kept=tuple(tracks.names[index] for index in tracks.kept),
        tracks_lost=tuple(dict.fromkeys((*lost, *report.dropped))),
        estimated_seconds=None if share is None else round(report.frames / report.fps * share, 1),
        estimated_bytes=None if share is None else round(size * share),
    )


def _animation(request: Request, path: Path, controls: Controls) -> Outline:
    """Of the film that it is made into first."""
    with scratch_folder() as folder:
        aside = dataclasses.replace(request, output=folder / path.name)
        with as_film(aside, controls) as film:
            found = _film(dataclasses.replace(film, output=request.output), controls)
    output = request.output or path.with_name(Path(found.output).name)
    check_output(request, output)
    return dataclasses.replace(found, input=request.input, output=str(output))


def _sampled(request: Request, info: FilmInfo, controls: Controls) -> Report:
    quiet = Controls(stop=controls.stop, networks=controls.networks)
    try:
        return upscale(dataclasses.replace(request, excerpt=_middle(request.excerpt, info)), quiet)
    except MediaError:
        # A film that was cut off holds less than its headers say.
        beginning = Excerpt(request.excerpt.start, SAMPLE_FRAMES / info.rate)
        report = upscale(dataclasses.replace(request, excerpt=beginning), quiet)
    controls.watcher.say("note: its middle cannot be decoded: judged by its beginning")
    return report


def _middle(excerpt: Excerpt, info: FilmInfo) -> Excerpt:
    """A few frames from the middle: the first ones of a film are often black."""
    frames = max(0, info.frames - SAMPLE_FRAMES)
    return Excerpt(excerpt.start + Fraction(frames // 2) / info.rate, SAMPLE_FRAMES / info.rate)


def _picture(request: Request, path: Path, controls: Controls) -> Outline:
    report, name, size = _sample(request, path, request.output, controls)
    output = request.output or path.with_name(name)
    check_output(request, output)
    reason = "as asked for" if request.model else "the default for images"
    return Outline(
        **_facts(request, output, report, reason),
        frames=report.frames,
        tracks_kept=(),
        tracks_lost=report.dropped,
        estimated_seconds=round(report.seconds, 1),
        estimated_bytes=size,
    )


def _sample(request: Request, path: Path, output: Path | None, controls: Controls) -> tuple[Report, str, int]:
    """The report of one picture upscaled in a folder of its own, its result's name and bytes."""
    with scratch_folder() as folder:
        source = folder / path.name
        source.symlink_to(path.resolve())
        target = None if output is None else folder / f"sample{output.suffix}"
        asked = dataclasses.replace(request, input=str(source), output=target)
        try:
            report = upscale(asked, Controls(stop=controls.stop, networks=controls.networks))
        except EdgeSRError as error:
            raise type(error)(str(error).replace(str(source), request.input)) from error
        written = Path(report.output)
        return report, written.name, written.stat().st_size


def _facts(request: Request, output: Path, report: Report, reason: str) -> dict[str, Any]:
    return {
        "input": request.input,
        "output": str(output),
        "input_size": report.input_size,
        "output_size": report.output_size,
        "model": report.model,
        "model_reason": reason,
        "backend": report.backend,
        "encoder_backend": report.encoder_backend,
        "precision": report.precision,
        "codec": report.codec,
        "sample_frames": report.frames,
    }
