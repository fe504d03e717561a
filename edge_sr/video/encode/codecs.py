"""The video encoders, what each can hold, and our options in each one's own words."""

from __future__ import annotations

import dataclasses
from typing import Any

from edge_sr.errors import OptionError, UnknownNameError
from edge_sr.sizes import size_text
from edge_sr.video.frames.colour import Colour
from edge_sr.video.frames.pixels import SUBSAMPLING, PixelLayout, even_neighbours
from edge_sr.video.frames.siting import LEFT, SITINGS, TOPLEFT, unsaid_siting


@dataclasses.dataclass(frozen=True)
class Codec:
    """One encoder. ``chroma`` and ``depths`` are what it takes, the richest last; ``segment_suffix`` is that of
    its segments, ``intra`` says that every frame stands alone. ``crf_key``: one option, or several that take the
    same. ``presets``: what its preset is told in words or, from fast to slow or slow to fast, in numbers.
    ``sitings``: where it can say that 4:2:0's chroma lies, none where it says nothing; ``alpha``: the chroma layouts
    that it takes beside an alpha channel, in ``alpha_containers``. ``element``: GStreamer's encoder, and what brings
    frames to it, in place of FFmpeg's; ``encoder`` then only names the format."""

    name: str
    encoder: str
    title: str
    containers: frozenset[str]
    chroma: tuple[str, ...] = ("420", "422", "444")
    depths: tuple[int, ...] = (8, 10)
    crf: int | None = None
    crf_limit: int = 51
    crf_key: str = "crf"
    preset: str | None = None
    preset_key: str | None = "preset"
    presets: tuple[str, ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()
    segment_suffix: str = "mp4"
    largest_side: int = 65535
    intra: bool = False
    sitings: tuple[str, ...] = (LEFT,)
    alpha: tuple[str, ...] = ()
    alpha_containers: frozenset[str] = frozenset({"mov", "mkv", "webm"})
    element: str = ""

    @property
    def is_hardware(self) -> bool:
        return "nvenc" in self.name or bool(self.element)


# libx264's and libx265's.
_PRESETS = tuple("ultrafast superfast veryfast faster fast medium slow slower veryslow placebo".split())  # noqa: SIM905
_ALL = frozenset({"mp4", "mkv", "mov"})
_NVENC: dict[str, Any] = {
    "chroma": ("420", "444"),
    "crf": 23,
    "crf_key": "cq",
    "preset": "p5",
    "presets": (*(f"p{number}" for number in range(1, 8)), "fast", "medium", "slow", "lossless"),
    "fixed": (("rc", "vbr"), ("b", "0")),
}

# NVIDIA's Accelerated GStreamer guide: a constant quantiser, 0 to 51, and presets 1 (fastest) to 4.
_JETSON: dict[str, Any] = {
    "chroma": ("420",),
    "depths": (8,),
    "crf": 24,
    "crf_key": "quant-i-frames quant-p-frames",
    "preset": "3",
    "presets": ("1", "2", "3", "4"),
    "preset_key": "preset-level",
    "fixed": (("ratecontrol-enable", "false"), ("insert-sps-pps", "true"), ("maxperf-enable", "true")),
}
_TO_JETSON = "nvvidconv ! video/x-raw(memory:NVMM),format=NV12 !"

CODECS = {
    codec.name: codec
    for codec in (
        # Without cpu-independent its AVX-512 code reads what nobody wrote: small films differ run by run.
        Codec(
            "x264",
            "libx264",
            "H.264",
            _ALL,
            crf=18,
            preset="medium",
            presets=_PRESETS,
            fixed=(("x264-params", "cpu-independent=1"),),
            largest_side=16384,
            sitings=SITINGS,
        ),
        Codec(
            "x265",
            "libx265",
            "H.265",
            _ALL,
            crf=20,
            preset="medium",
            presets=_PRESETS,
            fixed=(("x265-params", "log-level=error"),),
            sitings=SITINGS,
        ),
        Codec(
            "svt-av1",
            "libsvtav1",
            "AV1",
            frozenset({"mp4", "mkv", "webm"}),
            chroma=("420",),
            crf=26,
            crf_limit=63,
            preset="8",
            presets=tuple(map(str, range(14))),
            largest_side=16384,
            sitings=(LEFT, TOPLEFT),
        ),
        Codec(
            "vp9",
            "libvpx-vp9",
            "VP9",
            frozenset({"mp4", "mkv", "webm"}),
            depths=(8,),
            crf=24,
            crf_limit=63,
            preset="4",
            presets=tuple(map(str, range(9))),
            preset_key="cpu-used",
            fixed=(("b", "0"), ("row-mt", "1"), ("deadline", "good")),
            alpha=("420",),
            sitings=(),
        ),
        Codec(
            "prores",
            "prores_ks",
            "ProRes",
            frozenset({"mov", "mkv"}),
            chroma=("422", "444"),
            depths=(10,),
            preset="hq",
            presets=("proxy", "lt", "standard", "hq", "4444", "4444xq"),
            preset_key="profile",
            fixed=(("vendor", "apl0"),),
            segment_suffix="mov",
            intra=True,
            alpha=("444",),
            sitings=(),
        ),
        Codec(
            "ffv1",
            "ffv1",
            "FFV1",
            frozenset({"mkv"}),
            preset_key=None,
            fixed=(("level", "3"), ("slicecrc", "1"), ("g", "1")),
            segment_suffix="nut",
            intra=True,
            alpha=("420", "422", "444"),
            sitings=(),
        ),
        Codec(
            "h264_nvv4l2",
            "h264",
            "H.264",
            _ALL,
            element=f"{_TO_JETSON} nvv4l2h264enc",
            **{**_JETSON, "largest_side": 4096},
        ),
        Codec(
            "hevc_nvv4l2",
            "hevc",
            "H.265",
            _ALL,
            element=f"{_TO_JETSON} nvv4l2h265enc",
            **{**_JETSON, "largest_side": 8192},
        ),
        Codec("h264_nvenc", "h264_nvenc", "H.264", _ALL, depths=(8,), **{**_NVENC, "largest_side": 4096}),
        Codec("hevc_nvenc", "hevc_nvenc", "H.265", _ALL, **{**_NVENC, "largest_side": 8192}),
        Codec(
            "av1_nvenc",
            "av1_nvenc",
            "AV1",
            frozenset({"mp4", "mkv", "webm"}),
            **{**_NVENC, "chroma": ("420",), "largest_side": 8192},
        ),
    )
}
ALIASES = {
    "h264": "x264",
    "libx264": "x264",
    "h265": "x265",
    "hevc": "x265",
    "libx265": "x265",
    "av1": "svt-av1",
    "svtav1": "svt-av1",
    "libsvtav1": "svt-av1",
    "libvpx-vp9": "vp9",
    "prores_ks": "prores",
}


def codec_named(name: str) -> Codec:
    """The codec of that name, or of FFmpeg's name for it; ``UnknownNameError`` for any other."""
    codec = CODECS.get(ALIASES.get(name.lower(), name.lower()))
    if codec is None:
        raise UnknownNameError.among("codec", name, list(CODECS))
    return codec


def find_codec(name: str | None, container: str) -> Codec:
    """The codec called ``name``, by default the container's own.

    Raises ``UnknownNameError`` for a name nobody knows and ``OptionError`` when the container cannot hold it.
    """
    if name is None:
        return CODECS["vp9" if container == "webm" else "x264"]
    codec = codec_named(name)
    if container not in codec.containers:
        holders = ", ".join(sorted(codec.containers))
        raise OptionError(
            f"{container.upper()} cannot hold {codec.title} from {codec.name}: write one of {holders}"
        )
    return codec


def fitting_layout(
    codec: Codec, source: PixelLayout, explicit: bool, size: tuple[int, int], container: str = ""
) -> PixelLayout:
    """The pixel layout to encode: the source's own where the codec takes it, else the nearest it does take.

    It has alpha where the source has and the codec can put that into the ``container``.

    Films that ran through the float pair are kept at 10 bits, but for a GPU's encoder, which few players follow
    there. Raises ``OptionError`` for an ``explicit`` size that the chroma layout cannot hold, naming the even
    neighbours.
    """
    eight = source.fits_uint8 or (codec.is_hardware and source.depth == 8)
    depth = 8 if eight else 10
    depth = depth if depth in codec.depths else codec.depths[-1]
    alpha = source.has_alpha and bool(codec.alpha) and container in codec.alpha_containers
    taken = codec.alpha if alpha else codec.chroma
    richer = [chroma for chroma in taken if chroma >= source.chroma]
    chroma = richer[0] if richer else taken[-1]
    if explicit:
        refuse_odd(size, chroma)
    return PixelLayout(depth, chroma, has_alpha=alpha)


def fitting_siting(codec: Codec, layout: PixelLayout, colour: Colour) -> str:
    """The film's own place of chroma where the encoder can tell it, else where players take it to lie."""
    if layout.chroma == "420" and colour.siting in codec.sitings:
        return colour.siting
    return LEFT if codec.sitings else unsaid_siting(full_range=colour.full_range)


# Formats that hold a layout exactly, those first that need no packing. NVENC's ten bits are the upper ones of sixteen.
_FORMATS = {
    (8, "420"): ("yuv420p", "nv12"),
    (8, "422"): ("yuv422p", "nv16"),
    (8, "444"): ("yuv444p",),
    (10, "420"): ("yuv420p10le", "p010le"),
    (10, "422"): ("yuv422p10le", "p210le"),
    (10, "444"): ("yuv444p10le", "yuv444p16le"),
}


def pixel_format(codec: Codec, layout: PixelLayout) -> str:
    """FFmpeg's name of the format that this encoder takes the layout in, as the encoder itself lists them."""
    import av.codec

    wanted = (layout.name,) if layout.has_alpha else _FORMATS[layout.depth, layout.chroma]
    if codec.element:
        return wanted[0]
    try:
        taken = av.codec.Codec(codec.encoder, "w").video_formats or ()
    except av.codec.codec.UnknownCodecError:
        return wanted[0]
    names = {one.name for one in taken}
    return next((name for name in wanted if name in names), wanted[0])


def refuse_odd(size: tuple[int, int], chroma: str) -> None:
    """``OptionError``, naming the even neighbours, for a size that the chroma layout cannot hold."""
    high = even_neighbours(size, chroma)
    if high == size:
        return
    across, down = SUBSAMPLING[chroma]
    low = (size[0] // across * across, size[1] // down * down)
    raise OptionError(
        f"video with {':'.join(chroma)} chroma cannot be {size_text(size)}: "
        f"use --size {size_text(low)} or {size_text(high)}"
    )


def frame_bytes(layout: PixelLayout, size: tuple[int, int]) -> int:
    """Bytes of one frame in memory."""
    across, down = SUBSAMPLING[layout.chroma]
    samples = size[0] * size[1] * (1 + layout.has_alpha + 2 / (across * down))
    return max(1, round(samples * (1 if layout.depth == 8 else 2)))
