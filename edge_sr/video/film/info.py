"""What a film says of itself in its headers and its first frame."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sr.errors import HdrError, MediaError, OptionError
from edge_sr.video.film.headers import WITHOUT_BASE, dolby_profile
from edge_sr.video.film.pixel_aspects import marked_aspect
from edge_sr.video.frames.alpha import states_alpha
from edge_sr.video.frames.colour import UNSPECIFIED, Colour, read_colour
from edge_sr.video.frames.hdr import UNDESCRIBED, HdrDescription, read_description
from edge_sr.video.frames.orientation import Orientation, frame_orientation
from edge_sr.video.frames.pixels import PixelLayout, layout_of
from edge_sr.video.frames.side_data import side_data
from edge_sr.video.frames.stereo import MARK_OF_3D, STEREO_MODE, read_stereo
from edge_sr.video.frames.tonemap import tone_mapped_colour
from edge_sr.video.shape import upright_aspect

if TYPE_CHECKING:
    import av
    import av.container
    import av.video.stream


LONGEST_TIME = 40
_TIME = re.compile(r"(?:\d+:){0,2}(?:\d+\.?\d*|\.\d+)", re.ASCII)
TRANSPARENCY = "the film's transparency (ffv1 in MKV, prores in MOV and vp9 in WebM keep it)"


@dataclasses.dataclass(frozen=True)
class Excerpt:
    """The part of a film to read, in seconds from its beginning; ``duration`` None reads to the end."""

    start: Fraction = Fraction(0)
    duration: Fraction | None = None

    @property
    def is_whole(self) -> bool:
        return self.start == 0 and self.duration is None

    def shift(self, begins: Fraction, unit: Fraction) -> int:
        """What to take off every time of a film that begins at ``begins``, in its ``unit``, which may be a whole frame:
        the frame that is shown where the excerpt begins is then at 0."""
        return int((begins + self.start) // unit) if self.start else 0


def parse_time(text: str, what: str) -> Fraction:
    """Seconds, or ``[H:]M:S``, as an exact fraction; ``OptionError`` for anything else."""
    if len(text) > LONGEST_TIME or not _TIME.fullmatch(text):
        raise OptionError(f"{what} must be seconds or H:M:S, such as 12.5 or 1:02:03, found {text[:80]!r}")
    total = Fraction(0)
    for part in text.split(":"):
        total = total * 60 + Fraction(part)
    return total


def parse_excerpt(start: str | None, duration: str | None, prefix: str = "") -> Excerpt:
    """The excerpt that two texts ask for; a message names them with ``prefix``. ``OptionError`` as above."""
    length = None if duration is None else parse_time(duration, f"{prefix}duration")
    if length == 0:
        raise OptionError(f"{prefix}duration must be longer than 0")
    return Excerpt(Fraction(0) if start is None else parse_time(start, f"{prefix}start"), length)


@dataclasses.dataclass(frozen=True)
class FilmInfo:
    """What the first frame and the headers say. Sizes are ``(width, height)`` in pixels.

    ``bits_per_pixel``: what the codec spends on a pixel of a frame, 0 where the headers don't say;
    ``quantiser``: of the first frame on its codec's own scale, where FFmpeg tells: H.264's mean over its blocks, which
    is nearly the CRF that it was coded at, MPEG-2's (twice the scale of 1 to 31), VP9's (0 to 255);
    ``lost``: a name for each part of the picture that cannot be kept; ``hdr``: how it was mastered;
    ``tone_map``: whether it is brought to SDR as it is read; ``keeps_alpha``: whether its alpha channel is read too;
    ``stereo``: how the two pictures of a 3D film lie in a frame, in Matroska's word, None for a flat film;
    ``is_tagged_3d``: whether the container says so, beside the codec or in its place;
    ``coded_aspect``: of the first frame's pixels by its codec, whatever the container says, None where it doesn't say.
    """

    name: str
    container: str
    codec: str
    bits_per_pixel: float
    quantiser: float | None
    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    frames: int
    aspect: Fraction
    colour: Colour
    layout: PixelLayout
    orientation: Orientation
    notes: tuple[str, ...]
    lost: tuple[str, ...]
    hdr: HdrDescription = UNDESCRIBED
    tone_map: bool = False
    keeps_alpha: bool = False
    coded_aspect: Fraction | None = None
    stereo: str | None = None
    is_tagged_3d: bool = False

    @property
    def shown_colour(self) -> Colour:
        """The colours of what is written: those of the film, unless it is tone-mapped."""
        return tone_mapped_colour(self.colour) if self.tone_map else self.colour


def describe(
    name: str,
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    frame: av.VideoFrame,
    *,
    rate: Fraction,
    excerpt: Excerpt,
    tone_map: bool = False,
) -> FilmInfo:
    """The film's facts; ``HdrError`` or ``MediaError`` for colours that are refused."""
    _refuse_dolby(name, frame)
    _refuse_raw(name, frame)
    colour, notes = read_colour(frame)
    layout = layout_of(frame.format)
    if colour.is_hdr:
        # However few bits it comes in, what is made of it needs ten.
        layout = dataclasses.replace(layout, depth=max(10, layout.depth))
    orientation, stereo = frame_orientation(frame), read_stereo(frame, stream.metadata)
    return FilmInfo(
        name=name,
        container=container.format.name,
        codec=stream.codec_context.codec.canonical_name,
        bits_per_pixel=_bits_per_pixel(container, stream, frame, rate),
        quantiser=_quantiser(frame, stream.codec_context.codec.canonical_name),
        size=orientation.displayed(frame.width, frame.height),
        time_base=Fraction(frame.time_base or stream.time_base or Fraction(1, 1000)),
        rate=rate,
        frames=_expected_frames(container, stream, rate, excerpt),
        aspect=upright_aspect(stream.sample_aspect_ratio, turned=orientation.transpose),
        colour=colour,
        layout=layout,
        orientation=orientation,
        notes=tuple(notes),
        lost=_lost(stream, stereo),
        hdr=read_description(frame) if colour.is_hdr else UNDESCRIBED,
        tone_map=tone_map and colour.is_hdr,
        coded_aspect=marked_aspect(frame),
        stereo=stereo,
        is_tagged_3d=STEREO_MODE in stream.metadata,
    )


def _lost(stream: av.video.stream.VideoStream, stereo: str | None) -> tuple[str, ...]:
    found = {TRANSPARENCY: states_alpha(stream), MARK_OF_3D: stereo is not None}
    return tuple(part for part, is_there in found.items() if is_there)


def _refuse_dolby(name: str, frame: av.VideoFrame) -> None:
    """Profile 5's picture is in colours of its own: without Dolby's decoder they come out green and purple."""
    untagged = int(frame.color_trc) == UNSPECIFIED and "DOVI_RPU_BUFFER" in side_data(frame)
    if untagged or dolby_profile(Path(name)) == WITHOUT_BASE:
        raise HdrError(
            f"{name} is Dolby Vision profile 5, whose colours only a Dolby decoder knows: "
            "use a release of the film in HDR10 or SDR"
        )


def _refuse_raw(name: str, frame: av.VideoFrame) -> None:
    """Linear light behind a colour filter, as of ProRes RAW and CinemaDNG: unless it is developed it comes out dark."""
    if frame.format.name.startswith("bayer_"):
        raise MediaError(f"{name} is a camera's raw film: develop it first, as to ProRes")


def _bits_per_pixel(container: Any, stream: Any, frame: av.VideoFrame, rate: Fraction) -> float:
    """From the stream's bit rate, else the whole file's, of which a picture takes nearly all."""
    bit_rate = stream.bit_rate or container.bit_rate or 0
    return float(bit_rate / (frame.width * frame.height * rate))


def _expected_frames(container: Any, stream: Any, rate: Fraction, excerpt: Excerpt) -> int:
    """How many frames the headers promise for the excerpt; 0 when they do not say."""
    duration = Fraction(container.duration or 0, 1_000_000)
    if excerpt.is_whole and stream.frames:
        return int(stream.frames)
    rest = max(duration - excerpt.start, Fraction(0))
    if excerpt.duration is not None:
        rest = min(rest, excerpt.duration) if duration else excerpt.duration
    return round(rest * rate)


def _quantiser(frame: av.VideoFrame, codec: str) -> float | None:
    """Hardware decoders and most codecs do not say, nor do frames of H.264 whose fields were coded apart."""
    found = side_data(frame).get("VIDEO_ENC_PARAMS")
    if found is None:
        return None
    if codec == "vp9":
        # VP9 has no macroblocks for a map: this is the frame's own.
        return float(found.qp)
    try:
        return float(found.qp_map().mean())
    except RuntimeError:
        return None
