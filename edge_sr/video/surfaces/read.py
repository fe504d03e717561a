"""Decoded frames that lie on a GPU: told from others, used where they are, and brought to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_sr.yuv import Surface

if TYPE_CHECKING:
    import av

# FFmpeg's name for a frame in CUDA's memory; what it holds is its ``sw_format``.
ON_GPU = "cuda"
DEPTHS = {"nv12": 8, "p010le": 10}


def tells_surfaces() -> bool:
    """Whether PyAV says what frames on a GPU hold, and encodes them there: from 18 on."""
    import av

    return hasattr(av.VideoFrame, "sw_format")


def is_on_gpu(frame: av.VideoFrame) -> bool:
    return frame.format.name == ON_GPU


def stored_format(frame: av.VideoFrame) -> str:
    """FFmpeg's name for how its pixels are stored, wherever they are."""
    held = frame.sw_format if is_on_gpu(frame) else frame.format
    return "" if held is None else held.name


def surface_of(frame: av.VideoFrame) -> Surface:
    """The frame's planes where they are, NV12 or P010; the frame is kept for as long as the surface is."""
    luma, chroma = frame.planes
    pitches = luma.line_size, chroma.line_size
    depth = DEPTHS[stored_format(frame)]
    return Surface(
        luma.buffer_ptr, chroma.buffer_ptr, *pitches, frame.width, frame.height, depth, owner=frame
    )


def on_host(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame with all that it carries in the host's memory; one that is there already as it is."""
    return frame.reformat(format=stored_format(frame), threads=1) if is_on_gpu(frame) else frame
