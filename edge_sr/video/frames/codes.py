"""Decoded frames to the codes of a YUV frame and back; nothing is computed, planes are only put in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.video.frames.planes import codes_type, read_plane

if TYPE_CHECKING:
    import av

# FFmpeg's formats that hold what NV12 and P010 hold, and their bits.
CODE_DEPTHS = {"yuv420p": 8, "yuvj420p": 8, "nv12": 8, "yuv420p10le": 10, "p010le": 10}


def read_codes(frame: av.VideoFrame) -> NDArray[Any]:
    """``3h/2 x w``, as ``YuvFrame`` has them, of a frame of these formats and of even sizes."""
    codes = np.empty((frame.height * 3 // 2, frame.width), codes_type(CODE_DEPTHS[frame.format.name]))
    for mine, plane in _planes(frame, codes):
        np.left_shift(plane, _shift(frame.format.name), out=mine)
    return codes


def write_codes(codes: NDArray[Any], pixel_format: str) -> av.VideoFrame:
    """A frame of one of these formats from codes of as many bits."""
    import av

    rows, width = codes.shape
    frame = av.VideoFrame(width, rows * 2 // 3, pixel_format)
    for mine, plane in _planes(frame, codes):
        np.right_shift(mine, _shift(pixel_format), out=plane)
    return frame


def _shift(pixel_format: str) -> int:
    """P010 has its ten bits at the upper end."""
    return 6 if pixel_format == "yuv420p10le" else 0


def _planes(frame: av.VideoFrame, codes: NDArray[Any]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """The parts of the codes, each beside the frame's plane of it; both share their memory with what they are of."""
    height = frame.height
    parts = [codes[:height], codes[height:]]
    if len(frame.planes) == 3:
        parts[1:] = [codes[height:, 0::2], codes[height:, 1::2]]
    pairs = zip(parts, frame.planes, strict=True)
    return [(part, read_plane(plane, codes.dtype, part.shape[1])) for part, plane in pairs]
