"""Which of the shipped networks suits a film: the one trained on compressed video where the film is compressed hard.

The bounds are where both networks came out alike on clips coded at several qualities
(docs/reports/diinn-edge-video.md). A codec that was not measured goes to the default.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from edge_sr.bundle import DEFAULT_MODEL
from edge_sr.upscale.run.request import Request
from edge_sr.video.film.film import FilmInfo

FOR_COMPRESSED_VIDEO = "diinn-edge-video"
# Each on its codec's own scale, as ``FilmInfo.quantiser`` has it.
COMPRESSED_QP = {"h264": 19.0, "mpeg2video": 4.0, "vp9": 31.0}
COMPRESSED_BITS_PER_PIXEL = {"av1": 0.2, "hevc": 0.3, "mjpeg": 3.0}
COMPRESSED, LIGHTLY, UNKNOWN = "compressed video", "lightly compressed video", "compression unknown"
TITLES = {
    "h264": "H.264",
    "hevc": "H.265",
    "mjpeg": "MJPEG",
    "av1": "AV1",
    "vp9": "VP9",
    "mpeg2video": "MPEG-2",
}


def with_model(request: Request, info: FilmInfo, say: Callable[[str], None]) -> Request:
    """The request for a network that suits the film, where it asks for none."""
    if request.model is not None:
        return request
    model, why = suited_model(info)
    say(f"model: {model} ({why})")
    return dataclasses.replace(request, model=model)


def suited_model(info: FilmInfo) -> tuple[str, str]:
    """The model's name, and why, in a few words."""
    kind, found = _compression(info)
    compressed = kind == COMPRESSED
    model = FOR_COMPRESSED_VIDEO if compressed else DEFAULT_MODEL
    other = DEFAULT_MODEL if compressed else FOR_COMPRESSED_VIDEO
    title = TITLES.get(info.codec, info.codec)
    return model, f"{kind}: {title}{found}; override with --model {other}"


def _compression(info: FilmInfo) -> tuple[str, str]:
    """How far the film is compressed, and the figure that says so."""
    if info.quantiser is not None and info.codec in COMPRESSED_QP:
        kind = COMPRESSED if info.quantiser >= COMPRESSED_QP[info.codec] else LIGHTLY
        return kind, f", mean QP {info.quantiser:.0f}"
    bound = COMPRESSED_BITS_PER_PIXEL.get(info.codec)
    if bound is None or info.bits_per_pixel <= 0:
        return UNKNOWN, ""
    kind = COMPRESSED if info.bits_per_pixel < bound else LIGHTLY
    return kind, f", {info.bits_per_pixel:.2f} bits per pixel"
