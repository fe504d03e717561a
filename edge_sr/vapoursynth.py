"""VapourSynth clips upscaled by any model on any backend.

``core.edgesr.Upscale`` of the package ``edge-sr-vapoursynth`` takes the same arguments and is faster, but runs what the
native library runs alone; this takes every bundle, OpenVINO, TensorRT and GPUs.
"""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import Any

import numpy as np

from edge_sr.bundle import DEFAULT_MODEL
from edge_sr.errors import MissingError, OptionError
from edge_sr.sizes import Size, output_size, parse_scale
from edge_sr.tensors import SMALLEST_SIDE, Frame
from edge_sr.upscaler import Upscaler
from edge_sr.video.frames.colour import BT2020, HDR_TRANSFERS, LUMA_WEIGHTS, UNSPECIFIED, guessed_matrix
from edge_sr.video.frames.headroom import BLACK, WHITE
from edge_sr.video.frames.pixels import even_neighbours
from edge_sr.video.shape import pixel_aspect

# Keys' cubic with a = -0.6, which chroma is filtered with everywhere in Edge SR.
CUBIC = {"filter_param_a": 0.0, "filter_param_b": 0.6}

Clip = Any
"""``vapoursynth.VideoNode``."""


def upscale(
    clip: Clip,
    scale: float | str | None = None,
    width: int | None = None,
    height: int | None = None,
    model: str = DEFAULT_MODEL,
    backend: str = "auto",
    precision: str = "auto",
) -> Clip:
    """The clip enlarged by ``scale``, to ``width`` x ``height``, or to ``height`` alone, in its own format.

    RGB of 8 to 16 bits, RGBS, and YUV 4:2:0, 4:2:2 and 4:4:4 of 8 to 16 bits. A size that is computed goes up to even
    where the format halves its chroma. Frame properties of the first frame say matrix, range and chroma location; the
    pixel aspect is kept right. Frames are upscaled one at a time, each on all cores or on the GPU. Raises
    ``OptionError`` for formats and sizes that do not fit and for an interlaced clip, and what ``Upscaler`` raises; an
    interlaced frame later on is an error of VapourSynth.
    """
    vs = _vapoursynth()
    chroma = _chroma(vs, clip)
    given = (clip.width, clip.height)
    wanted = _wanted(given, scale, width, height, chroma)
    _check_progressive(clip.get_frame(0))
    network = Upscaler(model, backend=backend, precision=precision)
    matrix = None if clip.format.color_family == vs.RGB else _matrix(clip)
    rgb = _to_rgb(vs, clip, matrix, eight_bit=clip.format.bits_per_sample == 8 and chroma in ("420", "rgb"))
    enlarged = _enlarged(rgb, network, wanted)
    enlarged = _like(enlarged, clip, matrix)
    return enlarged.std.ModifyFrame(enlarged, lambda n, f: _with_aspect(f, given, wanted))


def _vapoursynth() -> Any:
    try:
        import vapoursynth
    except ImportError as error:
        raise MissingError("VapourSynth is not installed: pip install vapoursynth") from error
    return vapoursynth


def _chroma(vs: Any, clip: Clip) -> str:
    """``420``, ``422``, ``444`` or ``rgb``; ``OptionError`` for a format that is not taken."""
    about = clip.format
    if about is None or not clip.width:
        raise OptionError("the clip must keep one format and one size")
    halved = {(1, 1): "420", (1, 0): "422", (0, 0): "444"}.get((about.subsampling_w, about.subsampling_h))
    floats = about.sample_type == vs.FLOAT
    fits = about.bits_per_sample == 32 if floats else about.bits_per_sample <= 16
    if about.color_family == vs.RGB and fits:
        return "rgb"
    if about.color_family != vs.YUV or floats or not fits or halved is None:
        raise OptionError(
            f"expected RGB, or YUV 4:2:0, 4:2:2 or 4:4:4 of 8 to 16 bits, found {about.name}: convert it by core.resize"
        )
    return halved


def _check_progressive(frame: Any) -> None:
    if int(frame.props.get("_FieldBased", 0)) != 0:
        raise OptionError("the frame is interlaced (_FieldBased): deinterlace the clip first")


def _wanted(given: Size, scale: Any, width: int | None, height: int | None, chroma: str) -> Size:
    if min(given) < SMALLEST_SIDE:
        raise OptionError(
            f"a frame must have at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels, found {given[0]} x {given[1]}"
        )
    exact = None if scale is None else parse_scale(scale)
    if width is not None and height is None:
        raise OptionError("width goes with a height: give both, or height alone")
    size = None if width is None or height is None else (width, height)
    wanted = output_size(*given, scale=exact, size=size, target_height=None if size else height)
    even = wanted if chroma == "rgb" else even_neighbours(wanted, chroma)
    if size is not None and even != size:
        raise OptionError(f"this format halves its chroma, so {size} cannot be written: ask for {even}")
    return even


def _matrix(clip: Clip) -> int:
    """The matrix that the first frame names, else BT.2020 for HDR, else what players assume."""
    properties = clip.get_frame(0).props
    matrix = int(properties.get("_Matrix", UNSPECIFIED))
    if matrix in LUMA_WEIGHTS:
        return matrix
    if matrix not in (0, UNSPECIFIED, 3):
        raise OptionError(
            f"colour matrix {matrix} is not supported, only {', '.join(map(str, LUMA_WEIGHTS))}"
        )
    hdr = int(properties.get("_Transfer", UNSPECIFIED)) in HDR_TRANSFERS
    return BT2020 if hdr else guessed_matrix(clip.width, clip.height)


def _to_rgb(vs: Any, clip: Clip, matrix: int | None, *, eight_bit: bool) -> Clip:
    pixels = vs.RGB24 if eight_bit else vs.RGBS
    if clip.format.id == pixels:
        return clip
    named = clip if matrix is None else clip.std.SetFrameProps(_Matrix=matrix)
    return named.resize.Bicubic(format=pixels, **CUBIC)


def _enlarged(rgb: Clip, network: Upscaler, size: Size) -> Clip:
    """Every frame through the network, whose turns are taken one after another."""
    turn = threading.Lock()

    def one(blank: Any, source: Any) -> Any:
        _check_progressive(source)
        frame: Frame = np.stack([np.asarray(source[plane]) for plane in range(3)], axis=-1)
        if frame.dtype == np.float32:
            frame = np.clip(np.nan_to_num(frame), 0, 1)
        with turn:
            picture = network(frame, size=size)
        result = blank.copy()
        for plane in range(3):
            np.asarray(result[plane])[...] = picture[..., plane]
        result.props.update(source.props)
        return result

    canvas = rgb.std.BlankClip(width=size[0], height=size[1], keep=True)
    return canvas.std.ModifyFrame([canvas, rgb], lambda n, f: one(*f))


def _like(enlarged: Clip, clip: Clip, matrix: int | None) -> Clip:
    """The enlarged RGB clip in the format, range and chroma location of the one that it was made from."""
    if matrix is None:
        return (
            enlarged if enlarged.format.id == clip.format.id else enlarged.resize.Point(format=clip.format.id)
        )
    properties = clip.get_frame(0).props
    full = int(properties["_Range"]) == 1 if "_Range" in properties else properties.get("_ColorRange") == 0
    made = enlarged.resize.Bicubic(
        format=clip.format.id,
        matrix=matrix,
        range_s="full" if full else "limited",
        chromaloc=int(properties.get("_ChromaLocation", 0)),
        **CUBIC,
    )
    return made if full else _with_headroom(made, clip)


def _with_headroom(made: Clip, clip: Clip) -> Clip:
    """The clip that was made, with the luma beyond the black and white of limited range that RGB has no place for."""
    vs = _vapoursynth()
    black, white = (code << (clip.format.bits_per_sample - 8) for code in (BLACK, WHITE))
    luma, result = clip.std.ShufflePlanes(0, vs.GRAY), made.std.ShufflePlanes(0, vs.GRAY)
    beyond = luma.std.Expr(f"x {white} max {white} - x {black} min {black} - +", format=vs.GRAYS)
    larger = beyond.resize.Bilinear(width=made.width, height=made.height)
    total = vs.core.std.Expr([result, larger], "x y +", format=result.format.id)
    return vs.core.std.ShufflePlanes([total, made, made], [0, 1, 2], vs.YUV)


def _with_aspect(f: Any, given: Size, wanted: Size) -> Any:
    aspect = Fraction(f.props.get("_SARNum", 1) or 1, f.props.get("_SARDen", 1) or 1)
    kept = pixel_aspect(aspect, given, wanted)
    if kept == aspect:
        return f
    result = f.copy()
    result.props["_SARNum"], result.props["_SARDen"] = kept.numerator, kept.denominator
    return result
