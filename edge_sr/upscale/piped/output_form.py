"""What a film's frames become in a pipe: their size, layout and header."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from edge_sr.machine.memory import BASE_BYTES, require_bytes
from edge_sr.sizes import Size, size_text
from edge_sr.upscale.film_plan import film_target
from edge_sr.upscale.film_source import PipedFilm
from edge_sr.upscale.pipeline import WAITING, Target
from edge_sr.upscale.run.request import Request
from edge_sr.video.encode.codecs import refuse_odd
from edge_sr.video.frames.colour import Colour
from edge_sr.video.frames.pixels import FromRgb, PixelLayout, even_neighbours, layout_of
from edge_sr.video.piped.forms import RAW, RGB_FORMATS, chroma_tag, header_line, raw_format, told_siting
from edge_sr.video.piped.sink import packed_rgb, planes_of
from edge_sr.video.shape import pixel_aspect


@dataclasses.dataclass(frozen=True)
class OutputForm:
    """``to_frame`` makes the network's RGB a frame, ``to_bytes`` gives that frame's parts; ``header`` is empty for raw
    frames, ``shown`` tells people of the form."""

    target: Target
    to_frame: Callable[[Any], Any]
    to_bytes: Callable[[Any], list[Any]]
    header: bytes
    shown: str


def output_form(request: Request, source: PipedFilm) -> OutputForm:
    """As the options say, else as the film is: its own depth, chroma and range.

    Raises ``OptionError`` for a size that the layout cannot hold, ``MemoryLimitError`` for one beyond memory.
    """
    info = source.film.info
    name = _raw_name(request, info.layout)
    layout = info.layout if name is None else layout_of(raw_format(name))
    packed = name if name in RGB_FORMATS else None
    # Packed and grey frames have no chroma planes that would ask for even sizes.
    chroma = "444" if layout.is_grey or layout.is_rgb else layout.chroma
    whole = request.whole_size(info.size)
    if request.size is not None:
        refuse_odd(whole, chroma)
    even = even_neighbours(whole, chroma)
    _check_memory(request, info.size, even)
    target = film_target(request, info.size, even, chroma)
    if packed is not None:
        return OutputForm(target, lambda picture: picture, packed_rgb(packed), b"", f"raw {packed}")
    made = PixelLayout(layout.depth, chroma, is_grey=layout.is_grey)
    planes, colour = 1 if layout.is_grey else 3, info.shown_colour
    header, shown = b"", f"raw {name or made.plain_name}"
    if request.piping.output_format != RAW:
        colour = dataclasses.replace(colour, siting=told_siting(made, colour))
        aspect = pixel_aspect(info.aspect, info.size, even)
        header = _header(source, target.written, aspect, made, colour)
        shown = f"y4m, {header.decode().strip()}"
    return OutputForm(target, FromRgb(colour, made), lambda frame: planes_of(frame, planes), header, shown)


def _raw_name(request: Request, layout: PixelLayout) -> str | None:
    """The pixel format of raw output where it is not simply the film's own layout."""
    if request.piping.output_format != RAW:
        return None
    if request.piping.pixel_format is None and layout.is_rgb:
        return "rgb24" if layout.depth == 8 else "rgb48le"
    return request.piping.pixel_format


def _header(source: PipedFilm, size: Size, aspect: Fraction, layout: PixelLayout, colour: Colour) -> bytes:
    """The range is told where the input's own header tells it, or where it has none."""
    full = colour.full_range if source.header is None or source.header.has_range else None
    return header_line(size, source.film.info.rate, aspect, chroma_tag(layout, colour.siting), full)


def _check_memory(request: Request, input_size: Size, output_size: Size) -> None:
    pixels = input_size[0] * input_size[1] + output_size[0] * output_size[1]
    need = BASE_BYTES + (2 * WAITING + 2) * 3 * 4 * pixels
    require_bytes(need, f"{request.input} at {size_text(output_size)}")
