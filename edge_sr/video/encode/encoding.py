"""What one encoder is told, and setting it up."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction
from typing import Any

from edge_sr.errors import OptionError
from edge_sr.sizes import size_text
from edge_sr.video.encode.codecs import Codec, frame_bytes, pixel_format
from edge_sr.video.frames.colour import Colour, tag_colours
from edge_sr.video.frames.hdr import UNDESCRIBED, HdrDescription, encoder_words
from edge_sr.video.frames.pixels import PixelLayout
from edge_sr.video.frames.siting import LEFT, SITINGS
from edge_sr.video.frames.stereo import stereo_words

# The encoder may hold this much in frames that wait for its lookahead, and so many of them.
LOOKAHEAD_BYTES, LEAST_LOOKAHEAD, USUAL_LOOKAHEAD = 1 << 30, 4, 40
# Frames a second beyond which SVT-AV1 refuses; the packets' own times say what they are.
SVT_QUICKEST = Fraction(240)
_NUMBER = re.compile(r"-?\d+")


@dataclasses.dataclass(frozen=True)
class Encoding:
    """Everything the encoder is told, apart from the frames; equal settings give equal bytes."""

    codec: Codec
    layout: PixelLayout
    size: tuple[int, int]
    rate: Fraction
    options: tuple[tuple[str, str], ...]
    threads: int

    @property
    def segment_suffix(self) -> str:
        """Of its segments: VP9's alpha lies beside the packets, for which Matroska has room and MP4 has not."""
        beside = self.layout.has_alpha and not self.codec.intra
        return "mkv" if beside else self.codec.segment_suffix

    @property
    def pixel_format(self) -> str:
        """What its frames are encoded from, by FFmpeg's name."""
        return pixel_format(self.codec, self.layout)

    @property
    def takes_surfaces(self) -> bool:
        """Whether it encodes frames where they lie in a GPU's memory."""
        return self.codec.is_hardware and not self.codec.element


def plan_encoding(
    codec: Codec,
    layout: PixelLayout,
    size: tuple[int, int],
    rate: Fraction,
    *,
    crf: int | None,
    preset: str | None,
    threads: int,
    hdr: HdrDescription = UNDESCRIBED,
    siting: str = LEFT,
    stereo: str | None = None,
) -> Encoding:
    """The encoder's settings; ``OptionError`` for an option that this codec does not have or take."""
    if max(size) > codec.largest_side:
        raise OptionError(
            f"{codec.title} takes at most {codec.largest_side} pixels a side, found {size_text(size)}: "
            "use another --codec or a smaller scale"
        )
    options = dict(codec.fixed)
    options.update(_quality(codec, crf))
    options.update(_speed(codec, preset))
    options.update(_for_layout(codec, layout, preset))
    options.update(_lookahead(codec, layout, size))
    described = encoder_words(codec.name, hdr) if hdr else None
    for words in (described, _siting_words(codec.name, siting), stereo_words(codec.name, stereo)):
        if words is not None:
            options[words[0]] = ":".join(filter(None, (options.get(words[0]), words[1])))
    return Encoding(codec, layout, size, rate, tuple(sorted(options.items())), threads)


def _quality(codec: Codec, crf: int | None) -> dict[str, str]:
    if codec.crf is None:
        if crf is not None:
            raise OptionError(f"{codec.name} has no --crf: leave it out")
        return {}
    value = codec.crf if crf is None else crf
    if not 0 <= value <= codec.crf_limit:
        raise OptionError(f"--crf of {codec.name} must lie between 0 and {codec.crf_limit}, found {value}")
    return dict.fromkeys(codec.crf_key.split(), str(value))


def _speed(codec: Codec, preset: str | None) -> dict[str, str]:
    if codec.preset_key is None:
        if preset is not None:
            raise OptionError(f"{codec.name} has no --preset: leave it out")
        return {}
    # Numbers are the encoder's own to judge.
    if preset is not None and preset not in codec.presets and not _NUMBER.fullmatch(preset):
        known = codec.presets
        words = f"{known[0]} to {known[-1]}" if known[0].isdigit() else ", ".join(known)
        raise OptionError(f"--preset of {codec.name} must be one of {words}, found {preset!r}")
    value = preset or codec.preset
    return {} if value is None else {codec.preset_key: value}


def _for_layout(codec: Codec, layout: PixelLayout, preset: str | None) -> dict[str, str]:
    if codec.name == "prores" and layout.chroma == "444" and preset is None:
        return {"profile": "4444"}
    # Frames that are not shown have no alpha.
    return {"auto-alt-ref": "0"} if codec.name == "vp9" and layout.has_alpha else {}


def lookahead_frames(layout: PixelLayout, size: tuple[int, int]) -> int:
    """How many frames an encoder may look ahead."""
    fitting = LOOKAHEAD_BYTES // frame_bytes(layout, size)
    return min(USUAL_LOOKAHEAD, max(LEAST_LOOKAHEAD, fitting))


def _lookahead(codec: Codec, layout: PixelLayout, size: tuple[int, int]) -> dict[str, str]:
    """A shorter lookahead for large pictures, which would otherwise hold gigabytes of frames."""
    if codec.name not in ("x264", "x265", "svt-av1"):
        return {}
    frames = lookahead_frames(layout, size)
    if frames == USUAL_LOOKAHEAD:
        return {}
    if codec.name == "x264":
        return {"rc-lookahead": str(frames), "refs": "2"}
    if codec.name == "x265":
        fixed = dict(codec.fixed)["x265-params"]
        return {"x265-params": f"{fixed}:rc-lookahead={frames}:frame-threads=1:ref=2"}
    return {"svtav1-params": f"lookahead={frames}"}


def _siting_words(codec: str, siting: str) -> tuple[str, str] | None:
    """The encoder's option for where chroma lies, and its value; None where it is what players take anyway."""
    if codec == "svt-av1":
        return "svtav1-params", f"chroma-sample-position={siting}"
    if codec not in ("x264", "x265") or siting == LEFT:
        return None
    return f"{codec}-params", f"chromaloc={SITINGS.index(siting)}"


def configure(context: Any, encoding: Encoding, aspect: Fraction, colour: Colour) -> None:
    """Sets an encoder up; its time base counts frames, the true times are put on its packets."""
    context.width, context.height = encoding.size
    context.pix_fmt = encoding.pixel_format
    quick = encoding.codec.name == "svt-av1" and encoding.rate > SVT_QUICKEST
    context.framerate = SVT_QUICKEST if quick else encoding.rate
    context.time_base = 1 / encoding.rate
    context.sample_aspect_ratio = aspect
    tag_colours(context, colour)
    context.thread_count = encoding.threads
    context.options = dict(encoding.options)


def add_packet_stream(file: Any, encoding: Encoding) -> Any:
    """A stream of the file for packets that come from another encoder than FFmpeg's."""
    width, height = encoding.size
    return file.add_mux_stream(encoding.codec.encoder, rate=encoding.rate, width=width, height=height)
