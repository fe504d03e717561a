"""The film of a run, by its name or from standard input."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from edge_sr.machine.description import available_cores
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.video.film.film import Film
from edge_sr.video.piped.forms import Y4mHeader
from edge_sr.video.piped.source import FrameStream, opened_stream

STANDARD_INPUT = "standard input"
BROKE_OFF = "standard input broke off within a frame, which is left out"


@dataclasses.dataclass(frozen=True)
class PipedFilm:
    """A film, and what only its pipe knows: y4m's header, and whether it broke off."""

    film: Film
    header: Y4mHeader | None = None
    stream: FrameStream | None = None

    @property
    def broke_off(self) -> bool:
        return self.stream is not None and self.stream.ends_within_a_frame


def named_film(request: Request, most_pixels: int | None = None, *, threads: int | None = None) -> Film:
    """The input opened by its name; frames of more than ``most_pixels`` are not decoded. ``threads``: the decoder's."""
    return Film(
        request.input,
        request.excerpt,
        hwaccel=request.hwaccel,
        threads=threads or max(1, available_cores() // 4),
        protocols=request.protocols,
        tone_map=request.tonemap,
        most_pixels=most_pixels,
    )


@contextlib.contextmanager
def opened_film(request: Request, controls: Controls) -> Iterator[PipedFilm]:
    """The input as a film, from standard input where it is ``-``."""
    if not request.reads_pipe:
        with named_film(request) as film:
            yield PipedFilm(film)
        return
    stream, form = FrameStream(0, controls.stop), request.piping.raw_input
    header = None if form else stream.header()
    if form is not None:
        stream.follow(form.frame_bytes)
    with (
        opened_stream(stream, form) as opened,
        Film(STANDARD_INPUT, request.excerpt, tone_map=request.tonemap, opened=opened) as film,
    ):
        yield PipedFilm(film, header, stream)
