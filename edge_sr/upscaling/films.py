"""Upscaling a film: planned whole before the first frame, made in pieces, joined at the end."""

from __future__ import annotations

import dataclasses
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr import __version__
from edge_sr.errors import EdgeSRError, InterruptedRun, MediaError, OptionError, ResourceError
from edge_sr.grid import Box, output_region
from edge_sr.pipeline import WAITING, Flow, Target, run_film
from edge_sr.runtime.runner import available_cores
from edge_sr.tensors import SMALLEST_SIDE
from edge_sr.upscaling.request import (
    Controls,
    Report,
    Request,
    Size,
    TimedNetwork,
    beside_input,
    check_free,
    check_place,
    open_network,
)
from edge_sr.video.codecs import Encoding, find_codec, fitting_layout, frame_bytes, plan_encoding, probe
from edge_sr.video.containers import Container, container_for, known_container
from edge_sr.video.film import Film, FilmInfo
from edge_sr.video.joining import JoinPlan, join
from edge_sr.video.memory import BASE_BYTES, require_bytes
from edge_sr.video.opening import open_input
from edge_sr.video.pixels import FromRgb, even_neighbours
from edge_sr.video.segments import Segment, SegmentWriter, frames_per_segment, segments_end
from edge_sr.video.tracks import plan_tracks
from edge_sr.video.workfolder import WorkFolder, input_identity, partial_for

MARKER = "joined"


@dataclasses.dataclass(frozen=True)
class FilmPlan:
    """Everything decided before the first frame. ``written`` is the size of the encoded picture."""

    output: Path
    target: Target
    written: Size
    encoding: Encoding
    joining: JoinPlan
    length: int


def upscale_film(request: Request, controls: Controls) -> Report:
    """One film; interrupted or failed, what was made so far stays and can be gone on with."""
    threads = max(1, available_cores() // 4)
    with Film(request.input, request.excerpt, hwaccel=request.hwaccel, threads=threads) as film:
        _check_size(film.info)
        plan = _plan(request, film, controls)
        network = open_network(request)
        work = WorkFolder(plan.output)
        try:
            work.open(_state(request, plan, network), resume=request.resume, overwrite=request.overwrite)
            return _run(request, controls, film, plan, network, work)
        finally:
            work.close()


def _run(
    request: Request, controls: Controls, film: Film, plan: FilmPlan, network: TimedNetwork, work: WorkFolder
) -> Report:
    done = len(work.segments()) * plan.length
    info = film.info
    writer = SegmentWriter(
        work.path,
        plan.encoding,
        length=plan.length,
        time_base=info.time_base,
        aspect=info.aspect,
        colour=info.colour,
    )
    controls.watcher.begin(info.frames, done)
    try:
        flow = run_film(
            film,
            network,
            writer,
            FromRgb(info.colour, plan.encoding.layout),
            plan.target,
            first=done,
            stop=controls.stop,
            after_frame=lambda flow: controls.watcher.frame(done + flow.taken, flow.taken / flow.seconds),
        )
        if flow.interrupted:
            _stop(request, plan, work, writer, done + flow.frames)
        writer.finish()
        lost = _finish(plan, work)
    except InterruptedRun:
        raise
    except EdgeSRError as error:
        raise _explained(error, request, plan, work, writer) from error
    finally:
        writer.abandon()
        controls.watcher.end()
    work.remove()
    partial_for(plan.output).unlink(missing_ok=True)
    return _reported(request, controls, film, plan, network, flow, done, lost)


def _finish(plan: FilmPlan, work: WorkFolder) -> list[str]:
    """Joins the pieces and puts the film in its place."""
    joined = work.path / f"whole{plan.output.suffix}"
    lost = join(work.segments(), plan.joining, joined)
    (work.path / MARKER).touch()
    os.replace(joined, plan.output)
    return lost


def _stop(request: Request, plan: FilmPlan, work: WorkFolder, writer: SegmentWriter, frames: int) -> None:
    """Raises ``InterruptedRun``, with all frames so far in a film that plays."""
    tail = writer.suspend()
    segments = work.segments() + ([tail] if tail else [])
    partial = _write_partial(plan, segments)
    kept = f"{partial} holds what was made so far" if partial else "nothing was finished yet"
    raise InterruptedRun(f"stopped after {frames} frames: {kept}; go on with: {request.go_on}")


def _explained(
    error: EdgeSRError, request: Request, plan: FilmPlan, work: WorkFolder, writer: SegmentWriter
) -> EdgeSRError:
    """The error with where the finished part is and how to go on."""
    writer.abandon()
    segments = work.segments()
    if not segments:
        return error
    try:
        kept = f"{_write_partial(plan, segments)} holds what was made so far"
    except EdgeSRError:
        # No room for a copy of them: the pieces themselves are films too.
        kept = f"what was made so far lies in {work.path}, in {len(segments)} pieces that each play"
    return type(error)(f"{error}; {kept}; go on with: {request.go_on}")


def _write_partial(plan: FilmPlan, segments: list[Segment]) -> Path | None:
    if not segments:
        return None
    partial = partial_for(plan.output)
    temporary = partial.with_name(f".{partial.name}")
    until = segments_end(segments, plan.joining.time_base) * plan.joining.time_base
    try:
        join(segments, plan.joining, temporary, until=until)
        os.replace(temporary, partial)
    finally:
        temporary.unlink(missing_ok=True)
    return partial


def _reported(
    request: Request,
    controls: Controls,
    film: Film,
    plan: FilmPlan,
    network: TimedNetwork,
    flow: Flow,
    done: int,
    lost: list[str],
) -> Report:
    dropped = (*plan.joining.tracks.dropped, *lost)
    for name in lost:
        controls.watcher.say(f"warning: {plan.output.name} cannot hold {name}")
    warnings = list(film.warnings)
    if film.bad_frames:
        warnings.append(f"{film.bad_frames} bad frames in {request.input}")
    for text in warnings:
        controls.watcher.say(f"warning: {text}")
    if request.strict and (warnings or dropped):
        raise MediaError(f"{plan.output} was written, but --strict: {'; '.join([*warnings, *dropped])}")
    return network.report(
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


def _plan(request: Request, film: Film, controls: Controls) -> FilmPlan:
    info, say = film.info, controls.watcher.say
    for note in info.notes:
        say(f"note: {note}")
    container = _container(request)
    codec = find_codec(request.codec, container.name)
    whole = request.whole_size(info.size)
    layout = fitting_layout(codec, info.layout, explicit=request.size is not None, size=whole)
    even = even_neighbours(whole, layout.chroma)
    if even != whole:
        say(
            f"note: {whole[0]}x{whole[1]} goes up to {even[0]}x{even[1]}, as {layout.name} video needs even sizes"
        )
    target = _target(request, info.size, even, layout.chroma)
    written = target_size(target, info.size)
    output = request.output or beside_input(request.input, written, _suffix(request))
    _check_output(request, output)
    encoding = plan_encoding(
        codec,
        layout,
        written,
        info.rate,
        crf=request.crf,
        preset=request.preset,
        threads=_threads(output, request),
    )
    _check_memory(request, encoding, info)
    probe(encoding)
    _say_depth(info, encoding, say)
    length = request.segment_frames or frames_per_segment(written)
    return FilmPlan(output, target, written, encoding, _join_plan(request, film, container, controls), length)


def _say_depth(info: FilmInfo, encoding: Encoding, say: Any) -> None:
    layout, source = encoding.layout, info.layout
    if layout.depth < min(source.depth, 10):
        say(
            f"note: {encoding.codec.name} here takes {layout.depth} bits, the film's {source.depth} are rounded"
        )
    if layout.chroma < source.chroma:
        say(
            f"note: {encoding.codec.name} takes {layout.chroma} chroma, the film's {source.chroma} is reduced"
        )


def _join_plan(request: Request, film: Film, container: Container, controls: Controls) -> JoinPlan:
    with open_input(request.input) as source:
        tracks = plan_tracks(source, film.stream_index, container)
    for name in tracks.dropped:
        controls.watcher.say(f"warning: {container.name.upper()} cannot hold {name}: left out")
    if tracks.dropped and request.strict:
        raise MediaError(
            f"{container.name.upper()} cannot hold {' and '.join(tracks.dropped)}, and --strict asks for all"
        )
    info = film.info
    return JoinPlan(
        source=request.input,
        picture=film.stream_index,
        container=container,
        tracks=tracks,
        excerpt=request.excerpt,
        time_base=info.time_base,
        rate=info.rate,
        aspect=info.aspect,
        colour=info.colour,
    )


def _container(request: Request) -> Container:
    return container_for(request.output or Path("film" + _suffix(request)))


def _suffix(request: Request) -> str:
    """The input's own extension where that container is written, else Matroska's, which holds most."""
    path = Path(request.input)
    return path.suffix if known_container(path) else ".mkv"


def _target(request: Request, before: Size, whole: Size, chroma: str) -> Target:
    """The region, grown to even sizes where the chroma needs that: by a column or row that exists."""
    if request.region is None:
        return Target(whole)
    box = output_region(request.region, before, whole)
    grown = _even_box(box, whole, chroma)
    if grown == box:
        return Target(whole, request.region)
    region = _with_neighbours(request.region, before)
    outer = output_region(region, before, whole)
    crop = Box(grown.x0 - outer.x0, grown.y0 - outer.y0, grown.x1 - outer.x0, grown.y1 - outer.y0)
    return Target(whole, region, crop)


def _even_box(box: Box, whole: Size, chroma: str) -> Box:
    width, height = even_neighbours((box.width, box.height), chroma)
    x0, y0 = min(box.x0, whole[0] - width), min(box.y0, whole[1] - height)
    return Box(x0, y0, x0 + width, y0 + height)


def _with_neighbours(region: tuple[int, int, int, int], before: Size) -> tuple[int, int, int, int]:
    x0, y0 = max(0, region[0] - 1), max(0, region[1] - 1)
    x1 = min(before[0], region[0] + region[2] + 1)
    y1 = min(before[1], region[1] + region[3] + 1)
    return x0, y0, x1 - x0, y1 - y0


def target_size(target: Target, before: Size) -> Size:
    """``(width, height)`` of what the target keeps."""
    if target.region is None:
        return target.size
    box = target.crop or output_region(target.region, before, target.size)
    return box.width, box.height


def _check_output(request: Request, output: Path) -> None:
    check_place(request.input, output)
    work = WorkFolder(output)
    finished = request.resume and work.exists and (work.path / MARKER).exists()
    if not request.overwrite and not finished:
        check_free(output)


def _check_size(info: FilmInfo) -> None:
    if min(info.size) < SMALLEST_SIDE:
        raise MediaError(
            f"the film is {info.size[0]}x{info.size[1]}, the network takes {SMALLEST_SIDE}x{SMALLEST_SIDE} or more"
        )


def _threads(output: Path, request: Request) -> int:
    """The encoder's threads, which its result depends on: those of the run that is gone on with, if any."""
    if request.resume:
        recorded = WorkFolder(output).recorded().get("settings", {}).get("encoder threads")
        if isinstance(recorded, int) and recorded > 0:
            return recorded
    return max(1, min(8, available_cores() // 2))


def _check_memory(request: Request, encoding: Encoding, info: FilmInfo) -> None:
    sample = 1 if info.layout.fits_uint8 else 4
    pictures = (2 * WAITING + 2) * 3 * sample
    pixels = encoding.size[0] * encoding.size[1] * pictures + info.size[0] * info.size[1] * pictures
    waiting = min(40, max(4, (1 << 30) // frame_bytes(encoding.layout, encoding.size))) + 8
    need = BASE_BYTES + pixels + waiting * frame_bytes(encoding.layout, encoding.size)
    require_bytes(need, f"{request.input} at {encoding.size[0]}x{encoding.size[1]}")


def _state(request: Request, plan: FilmPlan, network: TimedNetwork) -> dict[str, Any]:
    """What a later run must have in common with this one."""
    upscaler, encoding = network.upscaler, plan.encoding
    settings = {
        "edge-sr": __version__,
        "model": upscaler.model,
        "graphs": sorted(graph.sha256 for graph in upscaler.bundle.description.graphs),
        "backend": upscaler.backend,
        "encoder backend": upscaler.encoder_backend,
        "precision": upscaler.placement or upscaler.precision,
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
