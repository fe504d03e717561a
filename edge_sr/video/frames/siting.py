"""Where samples of halved chroma lie among those of luma: read from frames, and marked on them for swscale.

PyAV has no name for a frame's chroma location, but hands it on: swscale goes by it, and FFmpeg's filter ``setparams``
sets it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sr.video.frames.filtering import FrameFilter
from edge_sr.video.frames.planes import read_plane

if TYPE_CHECKING:
    import av

# FFmpeg's names, in the order of ITU-T H.273's numbers from 0 on.
SITINGS = ("left", "center", "topleft", "top", "bottomleft", "bottom")
LEFT, CENTER, TOPLEFT = SITINGS[:3]

# swscale by number: the nearest pixel, and an error where a frame leaves its chroma's place unsaid.
_NEAREST, _BICUBIC, _STRICT = 0x10, 0x4, 0x800
# A ramp of so many codes a sample, looked at where a shift of half a luma pixel is a fourth of that.
_SIDE, _STEP, _PLACE = 16, 16, 8
_DOWN = {0: "top", 1: "", 2: "bottom"}


def has_halved_chroma(pixel_format: av.VideoFormat) -> bool:
    """Whether a planar or packed YUV format has fewer samples of chroma than of luma."""
    return not pixel_format.is_rgb and pixel_format.chroma_width(16) < 16


def read_siting(frame: av.VideoFrame, *, full_range: bool) -> str:
    """What the frame says, else what is taken of one that says nothing."""
    if not has_halved_chroma(frame.format):
        return LEFT
    return stated_siting(frame) or unsaid_siting(full_range=full_range)


def unsaid_siting(*, full_range: bool) -> str:
    """Where players take chroma to lie that nothing tells of: left, or in the centre as JPEG has it."""
    return CENTER if full_range else LEFT


def stated_siting(frame: av.VideoFrame) -> str | None:
    """The place that the frame's decoder or its file names; None where neither does.

    A ramp of chroma that is marked as the frame is shows by its values where swscale puts it.
    """
    import av

    try:
        across, down = _offsets(_ramp(frame))
    except (av.error.FFmpegError, ValueError):
        return None
    return "center" if (across, down) == (1, 1) else _DOWN[down] + ("left" if across == 0 else "")


def _ramp(frame: av.VideoFrame) -> Any:
    """A small 4:2:0 frame with all the marks of ``frame``, U rising to the right and V downwards."""
    from av.video.reformatter import VideoReformatter

    # Of another size than the frame, which would be handed back itself.
    side = _SIDE * 2 if frame.width == _SIDE else _SIDE
    small: Any = VideoReformatter().reformat(
        frame, width=side, height=side, format="yuv420p", interpolation=_NEAREST, threads=1
    )
    rise = np.arange(side // 2, dtype=np.uint8) * _STEP
    y, u, v = (read_plane(plane, np.uint8, plane.width) for plane in small.planes)
    y[...], u[...], v[...] = 128, rise[None, :], rise[:, None]
    small.colorspace = small.color_range = small.color_trc = small.color_primaries = 1
    return small


def _offsets(ramp: Any) -> tuple[int, int]:
    """By how many halves of a luma pixel chroma lies right of and below the first one's centre.

    Raises ``ValueError`` where the frame does not say.
    """
    from av.video.reformatter import VideoReformatter

    whole = VideoReformatter().reformat(
        ramp,
        format="yuv444p",
        interpolation=_BICUBIC | _STRICT,
        dst_color_trc=1,
        dst_color_primaries=1,
        threads=1,
    )
    _, u, v = (int(read_plane(plane, np.uint8, plane.width)[_PLACE, _PLACE]) for plane in whole.planes)
    first = _STEP * _PLACE // 2
    return round((first - u) * 4 / _STEP), round((first - v) * 4 / _STEP)


class Marker:
    """Marks frames with where their chroma lies, or is to lie in what swscale makes of them; pixels are not copied."""

    def __init__(self, siting: str) -> None:
        self._filter, self._words = FrameFilter("setparams"), f"chroma_location={siting}"

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        return self._filter(frame, self._words)
