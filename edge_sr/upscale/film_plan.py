"""Everything about a film that is decided, checked and refused before its first frame is upscaled."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from edge_sr.errors import MediaError, OptionError
from edge_sr.machine.description import available_cores
from edge_sr.machine.memory import BASE_BYTES, require_bytes
from edge_sr.sizes import Box, Size, output_region, size_text
from edge_sr.tensors import SMALLEST_SIDE
from edge_sr.upscale.pipeline import WAITING, Target
from edge_sr.upscale.run.places import check_output
from edge_sr.upscale.run.request import Request
from edge_sr.video.encode.captions import WITH_CAPTIONS
from edge_sr.video.encode.codecs import Codec, find_codec, fitting_layout, fitting_siting, frame_bytes
from edge_sr.video.encode.containers import Container, container_for, film_suffix
from edge_sr.video.encode.encoding import Encoding, lookahead_frames, plan_encoding
from edge_sr.video.encode.segment_encoder import EncodeSettings, probe
from edge_sr.video.encode.segments import frames_per_segment
from edge_sr.video.encode.workfolder import WorkFolder
from edge_sr.video.film.film import Film, FilmInfo
from edge_sr.video.film.late_tracks import late_tracks
from edge_sr.video.film.tracks import TrackPlan, plan_tracks
from edge_sr.video.frames.colour import HDR_TRANSFERS
from edge_sr.video.frames.hdr import UNDESCRIBED
from edge_sr.video.frames.pixels import PixelLayout, even_neighbours
from edge_sr.video.frames.stereo import keeps_stereo
from edge_sr.video.mux.beforehand import lost_beforehand
from edge_sr.video.mux.mux import MuxPlan
from edge_sr.video.opening import is_opened_by_name, open_input
from edge_sr.video.shape import pixel_aspect

# Frames that an encoder holds beside those that it looks ahead: its references and what it is at work on.
BESIDE_LOOKAHEAD = 8


@dataclasses.dataclass(frozen=True)
class FilmPlan:
    """Where to, what to compute, how to encode it in segments of ``length`` frames, and how to mux them.

    ``tone_mapped``: whether the film is brought to SDR, which one that is SDR cannot be.
    """

    output: Path
    target: Target
    muxing: MuxPlan
    length: int
    tone_mapped: bool

    @property
    def recipe(self) -> EncodeSettings:
        return self.muxing.recipe

    @property
    def encoding(self) -> Encoding:
        return self.recipe.encoding

    @property
    def written(self) -> Size:
        """``(width, height)`` of the encoded picture."""
        return self.encoding.size


def check_named_output(request: Request) -> None:
    """Refuses a bad ``-o`` before a stream or pipe is opened; a file is opened first, as it may be missing."""
    if request.reads_pipe and request.output is None:
        raise OptionError("standard input has no name: name the output with -o, or give -o - for a pipe")
    if request.reads_pipe and request.resume:
        raise OptionError("what comes through a pipe cannot be gone on with: leave --resume out")
    if request.output is not None and (request.reads_pipe or is_opened_by_name(request.input)):
        container_for(request.output)
        check_output(request, request.output)


def plan_film(request: Request, film: Film, say: Callable[[str], None]) -> FilmPlan:
    """The plan, its notes said; raises what ``upscale`` refuses a film or an option for."""
    info = film.info
    _check_size(info)
    for note in info.notes:
        say(f"note: {note}")
    container = _container(request)
    codec = find_codec(request.codec, container.name)
    if codec.name in WITH_CAPTIONS:
        film.keep_captions()
    film.keeps_stereo = keeps_stereo(info.stereo, container.name, codec.name)
    whole = request.whole_size(info.size)
    layout = fitting_layout(codec, info.layout, request.size is not None, whole, container.name)
    if layout.has_alpha:
        film.keep_alpha()
    _refuse_flat_hdr(info, codec, layout, container)
    if request.tonemap and not info.tone_map:
        say("note: the film is not HDR, so --tonemap has nothing to do")
    even = _even_size(whole, layout, say)
    target = film_target(request, info.size, even, layout.chroma)
    output = request.output or request.default_output(target.written, _suffix(request))
    check_output(request, output)
    recipe = _recipe(request, info, codec, layout, target, output)
    _check_memory(request, recipe.encoding, info)
    probe(recipe.encoding)
    _say_depth(info, recipe.encoding, say)
    muxing = _mux_plan(request, film, container, recipe, say)
    length = request.segment_frames or frames_per_segment(recipe.encoding)
    return FilmPlan(output, target, muxing, length, info.tone_map)


def _even_size(size: Size, layout: PixelLayout, say: Callable[[str], None]) -> Size:
    """``(width, height)`` as the layout's chroma can have it."""
    even = even_neighbours(size, layout.chroma)
    if even != size:
        say(f"note: {size_text(size)} goes up to {size_text(even)}, as {layout.name} video needs even sizes")
    return even


def _recipe(
    request: Request, info: FilmInfo, codec: Codec, layout: PixelLayout, target: Target, output: Path
) -> EncodeSettings:
    siting = fitting_siting(codec, layout, info.shown_colour)
    encoding = plan_encoding(
        codec,
        layout,
        target.written,
        info.rate,
        crf=request.crf,
        preset=request.preset,
        threads=_threads(output, request),
        hdr=UNDESCRIBED if info.tone_map else info.hdr,
        siting=siting,
        stereo=info.stereo,
    )
    aspect = pixel_aspect(info.aspect, info.size, target.size)
    return EncodeSettings(
        encoding, info.time_base, aspect, dataclasses.replace(info.shown_colour, siting=siting)
    )


def _refuse_flat_hdr(info: FilmInfo, codec: Codec, layout: PixelLayout, container: Container) -> None:
    """HDR never becomes 8 bits: its steps would be seen as bands."""
    if info.colour.is_hdr and not info.tone_map and layout.depth < 10:
        deep = "svt-av1" if container.name == "webm" else "x265 or x264"
        raise OptionError(
            f"the film is HDR, {HDR_TRANSFERS[info.colour.transfer]}, and {codec.name} writes {layout.depth} bits "
            f"here: use --codec {deep}, or bring it to SDR with --tonemap"
        )


def _say_depth(info: FilmInfo, encoding: Encoding, say: Callable[[str], None]) -> None:
    layout, source = encoding.layout, info.layout
    if layout.depth < min(source.depth, 10):
        say(
            f"note: {encoding.codec.name} here takes {layout.depth} bits, "
            f"so the film's {source.depth} are rounded"
        )
    if layout.chroma < source.chroma:
        say(
            f"note: {encoding.codec.name} takes {layout.chroma} chroma, the film's {source.chroma} is reduced"
        )


def _mux_plan(
    request: Request, film: Film, container: Container, recipe: EncodeSettings, say: Callable[[str], None]
) -> MuxPlan:
    info, codec = film.info, recipe.encoding.codec.name
    plan = MuxPlan(
        source=request.input,
        picture=film.stream_index,
        container=container,
        tracks=TrackPlan((), ()),
        excerpt=request.excerpt,
        recipe=recipe,
        hdr=UNDESCRIBED if info.tone_map else info.hdr,
        stereo=info.stereo if film.keeps_stereo and (info.is_tagged_3d or codec != "x264") else None,
        protocols=request.protocols,
    )
    if not request.reads_pipe:
        plan = dataclasses.replace(plan, tracks=_tracks(plan))
    _tell_changes(request, film, plan.tracks, container.name.upper(), say)
    return plan


def _tell_changes(
    request: Request, film: Film, tracks: TrackPlan, holder: str, say: Callable[[str], None]
) -> None:
    for name in tracks.dropped:
        say(f"warning: left out of the {holder} file: {name}")
    for change in tracks.changed:
        say(f"note: {holder} cannot hold it as it is, so encoded again: {change}")
    for name in film.lost:
        say(f"warning: {name} cannot be kept")
    refused = [*tracks.dropped, *tracks.changed, *film.lost]
    if refused and request.strict:
        raise MediaError(f"--strict asks for all, and {holder} does not take as it is: {'; '.join(refused)}")


def _tracks(plan: MuxPlan) -> TrackPlan:
    with open_input(plan.source, protocols=plan.protocols) as source:
        tracks = plan_tracks(source, plan.picture, plan.container)
        late = late_tracks(plan.source, source, plan.protocols)
        lost = lost_beforehand(source, dataclasses.replace(plan, tracks=tracks))
        return dataclasses.replace(tracks, dropped=(*tracks.dropped, *late, *lost))


def _container(request: Request) -> Container:
    return container_for(request.output or Path("film" + _suffix(request)))


def _suffix(request: Request) -> str:
    return film_suffix(Path(request.input), request.codec)


def film_target(request: Request, given: Size, whole_size: Size, chroma: str) -> Target:
    """The region, grown to even sizes where the chroma needs that: by a column or row that exists."""
    if request.region is None:
        return Target(whole_size)
    return Target(whole_size, _even_box(output_region(request.region, given, whole_size), whole_size, chroma))


def _even_box(box: Box, whole: Size, chroma: str) -> Box:
    width, height = even_neighbours((box.width, box.height), chroma)
    x0, y0 = min(box.x0, whole[0] - width), min(box.y0, whole[1] - height)
    return Box(x0, y0, x0 + width, y0 + height)


def _check_size(info: FilmInfo) -> None:
    if min(info.size) < SMALLEST_SIDE:
        least = size_text((SMALLEST_SIDE, SMALLEST_SIDE))
        raise MediaError(f"expected a film of {least} pixels or more, found {size_text(info.size)}")


def _threads(output: Path, request: Request) -> int:
    """The encoder's threads, which its result depends on: those of the run that is gone on with, if any."""
    if request.resume:
        recorded = WorkFolder(output).settings.get("encoder threads")
        if isinstance(recorded, int) and recorded > 0:
            return recorded
    return max(1, min(8, available_cores() // 2))


def memory_needed(encoding: Encoding, info: FilmInfo) -> int:
    """Bytes that a run over the film takes, about."""
    sample = 1 if info.layout.fits_uint8 else 4
    pictures = (2 * WAITING + 2) * (3 + encoding.layout.has_alpha) * sample
    pixels = encoding.size[0] * encoding.size[1] * pictures + info.size[0] * info.size[1] * pictures
    in_encoder = lookahead_frames(encoding.layout, encoding.size) + BESIDE_LOOKAHEAD
    return BASE_BYTES + pixels + in_encoder * frame_bytes(encoding.layout, encoding.size)


def _check_memory(request: Request, encoding: Encoding, info: FilmInfo) -> None:
    need = memory_needed(encoding, info)
    require_bytes(need, f"{request.input} at {size_text(encoding.size)}")
