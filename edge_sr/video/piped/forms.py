"""What frames in a pipe look like: the header of y4m, and raw frames as ffmpeg's users describe them."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

from edge_sr.errors import MediaError, OptionError
from edge_sr.sizes import LARGEST_SIDE, Size, size_text
from edge_sr.video.frames.colour import Colour
from edge_sr.video.frames.pixels import PixelLayout, layout_of
from edge_sr.video.frames.siting import CENTER, LEFT, TOPLEFT, unsaid_siting

RAW = "rawvideo"
MAGIC = b"YUV4MPEG2"
# Packed RGB as programs hold it; all other raw formats are planar YUV or grey.
RGB_FORMATS = {"rgb24": 8, "bgr24": 8, "rgb48le": 16}
# Where 4:2:0's chroma lies -> its tag.
_SITINGS = {LEFT: "420mpeg2", CENTER: "420jpeg", TOPLEFT: "420paldv"}
# Beyond this a line is no header: those in use have some hundred bytes.
LONGEST_HEADER = 4096


@dataclasses.dataclass(frozen=True)
class RawForm:
    """Frames without any header: FFmpeg's name of the pixel format, ``(width, height)``, frames a second."""

    pixel_format: str
    size: Size
    rate: Fraction

    @property
    def options(self) -> dict[str, str]:
        """For FFmpeg's demuxer."""
        return {
            "pixel_format": self.pixel_format,
            "video_size": size_text(self.size),
            "framerate": f"{self.rate.numerator}/{self.rate.denominator}",
        }

    @property
    def frame_bytes(self) -> int:
        return bytes_of(raw_format(self.pixel_format, self.size))


def raw_format(name: str, size: Size = (16, 16)) -> Any:
    """PyAV's description of a format that raw frames may have; ``OptionError`` for any other."""
    import av

    try:
        found = av.VideoFormat(name, *size)
    except ValueError as error:
        raise OptionError(
            f"--pixel-format must be one of FFmpeg's, such as yuv420p, found {name!r}"
        ) from error
    if found.name in RGB_FORMATS:
        return found
    layout = layout_of(found)
    planes = {component.plane for component in found.components}
    whole_bytes = all(8 <= component.bits <= 16 for component in found.components)
    if (
        layout.is_rgb
        or layout.has_alpha
        or found.is_big_endian
        or not whole_bytes
        or len(planes) < len(found.components)
    ):
        raise OptionError(
            f"raw frames are planar YUV or grey of 8 to 16 bits, little-endian, or {', '.join(RGB_FORMATS)}, "
            f"found --pixel-format {name}: have ffmpeg convert them, -pix_fmt yuv420p"
        )
    return found


def bytes_of(pixel_format: Any) -> int:
    """Bytes of a frame without padding."""
    return sum(
        component.width * component.height * (1 if component.bits <= 8 else 2)
        for component in pixel_format.components
    )


@dataclasses.dataclass(frozen=True)
class Y4mHeader:
    """A y4m header's words that FFmpeg's reader does not hand on: the tag of chroma and whether a range is given."""

    size: Size
    chroma: str
    has_range: bool

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame; 0 for a tag that nobody here knows."""
        import av

        name = _FORMATS.get(self.chroma, "") or _deep_format(self.chroma)
        try:
            return bytes_of(av.VideoFormat(name, *self.size))
        except ValueError:
            return 0


_FORMATS = {
    **dict.fromkeys(("420", "420jpeg", "420mpeg2", "420paldv"), "yuv420p"),
    **{"411": "yuv411p", "422": "yuv422p", "444": "yuv444p", "444alpha": "yuva444p", "mono": "gray"},
}


def _deep_format(chroma: str) -> str:
    if chroma.startswith("mono"):
        return f"gray{chroma[4:]}le"
    layout, _, depth = chroma.partition("p")
    return f"yuv{layout}p{depth}le" if layout in ("420", "422", "444") and depth.isdecimal() else ""


def read_header(line: bytes) -> Y4mHeader:
    """The header in the first line; ``MediaError`` for what is none."""
    words = line.decode("ascii", "replace").split()
    if not line.startswith(MAGIC):
        raise MediaError(
            "standard input is no y4m: expected frames from ffmpeg's -f yuv4mpegpipe, or a description of raw ones "
            "with --input-format rawvideo; films of other formats are read from a FIFO or /dev/stdin"
        )
    values = {word[0]: word[1:] for word in words[1:] if word[0] != "X"}
    try:
        size = int(values["W"]), int(values["H"])
        if not all(0 < side <= LARGEST_SIDE for side in size):
            raise ValueError("a side that no picture has")
    except (KeyError, ValueError) as error:
        raise MediaError("standard input is y4m without a size: its header is damaged") from error
    return Y4mHeader(size, values.get("C", "420"), any(word.startswith("XCOLORRANGE=") for word in words))


def header_line(size: Size, rate: Fraction, aspect: Fraction, chroma: str, full_range: bool | None) -> bytes:
    """The first line of y4m. ``full_range`` None says nothing of it."""
    range_word = {None: "", True: " XCOLORRANGE=FULL", False: " XCOLORRANGE=LIMITED"}[full_range]
    return (
        f"YUV4MPEG2 W{size[0]} H{size[1]} F{rate.numerator}:{rate.denominator} Ip "
        f"A{aspect.numerator}:{aspect.denominator} C{chroma}{range_word}\n"
    ).encode()


def told_siting(layout: PixelLayout, colour: Colour) -> str:
    """The place of chroma as y4m tells it, which it does of 8-bit 4:2:0 alone, else where readers take it to lie."""
    if (layout.depth, layout.chroma) != (8, "420"):
        return unsaid_siting(full_range=colour.full_range)
    return colour.siting if colour.siting in _SITINGS else LEFT


def chroma_tag(layout: PixelLayout, siting: str) -> str:
    """The tag of a layout with its chroma at ``siting``, one that y4m can tell."""
    if layout.is_grey:
        return "mono" if layout.depth == 8 else f"mono{layout.depth}"
    if layout.depth > 8:
        return f"{layout.chroma}p{layout.depth}"
    return layout.chroma if layout.chroma != "420" else _SITINGS[siting]


@dataclasses.dataclass(frozen=True)
class PipeFormat:
    """How frames in pipes are written, as options say it; y4m says all but the format of raw output by itself."""

    input_format: str | None = None
    output_format: str | None = None
    pixel_format: str | None = None
    video_size: Size | None = None
    framerate: Fraction | None = None

    def check(self, reads_pipe: bool, writes_pipe: bool) -> None:
        """Raises ``OptionError`` for what describes no pipe of this run, or describes it in part."""
        described: dict[str, object] = {"--video-size": self.video_size, "--framerate": self.framerate}
        if self.input_format is not None and not reads_pipe:
            raise OptionError("--input-format is for standard input: give - as the input, or leave it out")
        if self.output_format is not None and not writes_pipe:
            raise OptionError("--output-format is for standard output: give -o -, or leave it out")
        if self.input_format == RAW:
            described["--pixel-format"] = self.pixel_format
            if missing := [name for name, value in described.items() if value is None]:
                raise OptionError(f"--input-format rawvideo needs {' and '.join(missing)} too")
            return
        given = [name for name, value in described.items() if value is not None]
        if self.pixel_format is not None and self.output_format != RAW:
            given.append("--pixel-format")
        if given:
            raise OptionError(
                f"{given[0]} describes raw frames: add --input-format rawvideo, or leave it out"
            )

    @property
    def raw_input(self) -> RawForm | None:
        if self.input_format != RAW or not (self.pixel_format and self.video_size and self.framerate):
            return None
        return RawForm(self.pixel_format, self.video_size, self.framerate)
