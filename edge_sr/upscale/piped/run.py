"""Upscaling to standard output: every frame in order, as y4m or raw, for whatever program reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_sr.errors import InterruptedRun, MediaError, OptionError
from edge_sr.upscale.film_model import with_model
from edge_sr.upscale.film_source import BROKE_OFF, PipedFilm, opened_film
from edge_sr.upscale.piped.output_form import OutputForm, output_form
from edge_sr.upscale.pipeline import Flow, run_whole_film
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.report import Report, damage, report
from edge_sr.upscale.run.request import PIPE, Request
from edge_sr.upscaler import Upscaler
from edge_sr.video.film.film import Film
from edge_sr.video.film.tracks import track_name
from edge_sr.video.frames.colour import UNSPECIFIED
from edge_sr.video.image.recognise import is_still
from edge_sr.video.opening import open_input
from edge_sr.video.piped.sink import FrameSink, ReaderLeft, standard_output


def upscale_to_pipe(request: Request, controls: Controls) -> Report:
    """Every frame of a film to standard output. Ends early where its reader leaves, which is no error.

    Raises ``InterruptedRun`` once ``controls.stop`` is set, with all frames before it written.
    """
    _refuse(request)
    with standard_output() as write, opened_film(request, controls) as source:
        film, say = source.film, controls.watcher.say
        for note in film.info.notes:
            say(f"note: {note}")
        dropped = _dropped(request, film, say)
        form = output_form(request, source)
        say(f"writing {form.shown}")
        _tell_colours(film, say)
        settled = with_model(request, film.info, say)
        sink = FrameSink(write, form.to_bytes, form.header)
        with controls.networks.opened(settled, controls.watcher) as network:
            flow = _run(film, network, sink, form, controls)
            return _report(request, source, network, sink, flow, form, dropped, controls)


def _refuse(request: Request) -> None:
    given = {"--codec": request.codec, "--crf": request.crf, "--preset": request.preset}
    for option, value in given.items():
        if value is not None:
            raise OptionError(
                f"{option} is for encoders, and -o - writes the frames as they are: leave it out"
            )
    if request.resume:
        raise OptionError("what went through a pipe cannot be gone on with: leave --resume out")
    if not request.reads_pipe and is_still(Path(request.input)):
        raise OptionError(f"-o - writes the frames of films, and {request.input} is a picture: name a file")


def _dropped(request: Request, film: Film, say: Callable[[str], None]) -> tuple[str, ...]:
    """What a pipe has no place for: all but the picture."""
    names = list(film.lost)
    if not request.reads_pipe:
        with open_input(request.input, protocols=request.protocols) as container:
            names += [track_name(stream) for stream in container.streams if stream.index != film.stream_index]
    if names and request.strict:
        raise MediaError(f"--strict asks for all, and a pipe does not take: {'; '.join(names)}")
    for name in names:
        say(f"warning: left out, as a pipe holds the picture alone: {name}")
    return tuple(names)


def _tell_colours(film: Film, say: Callable[[str], None]) -> None:
    """y4m has no word for matrix, primaries and transfer: the next program must be told."""
    colour = film.info.shown_colour
    if colour.transfer != UNSPECIFIED or colour.primaries != UNSPECIFIED:
        say(
            "note: a pipe carries no colour description; the film's, as options of ffmpeg: "
            f"-colorspace {colour.matrix} -color_primaries {colour.primaries} -color_trc {colour.transfer}"
        )


def _run(film: Film, network: Upscaler, sink: FrameSink, form: OutputForm, controls: Controls) -> Flow:
    flow = Flow()
    try:
        return run_whole_film(film, network, sink, form.to_frame, form.target, controls, flow)
    except ReaderLeft:
        controls.watcher.say(f"note: whoever read the frames left after {sink.frames}: ending here")
        return flow


def _report(
    request: Request,
    source: PipedFilm,
    network: Upscaler,
    sink: FrameSink,
    flow: Flow,
    form: OutputForm,
    dropped: tuple[str, ...],
    controls: Controls,
) -> Report:
    film = source.film
    if controls.stop.is_set() and flow.interrupted:
        raise InterruptedRun(f"stopped after {sink.frames} frames, all of them written")
    warnings = damage(film.warnings, film.bad_frames, request.input)
    if source.broke_off and not flow.interrupted:
        warnings.append(BROKE_OFF)
    for text in warnings:
        controls.watcher.say(f"warning: {text}")
    if warnings and request.strict:
        raise MediaError(f"{sink.frames} frames were written, but --strict: {'; '.join(warnings)}")
    return report(
        network,
        flow.times,
        output=Path(PIPE),
        frames=sink.frames,
        seconds=flow.seconds,
        input_size=film.info.size,
        output_size=form.target.written,
        bad_frames=film.bad_frames,
        dropped=dropped,
        warnings=tuple(warnings),
    )
