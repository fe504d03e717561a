"""Interlaced PNG: FFmpeg marks Adam7's pictures as film of two fields, and swscale converts each field for itself."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av


def as_progressive(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame, not marked as interlaced; pixels are not copied.

    Of deep RGB so marked swscale makes wrong rows, and writes beyond its memory.
    """
    if not frame.interlaced_frame:
        return frame
    import av.filter

    graph = av.filter.Graph()
    graph.threads = 1
    unit = Fraction(frame.time_base or 1)
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=unit)
    mark = graph.add("setfield", "mode=prog")
    sink = graph.add("buffersink")
    source.link_to(mark)
    mark.link_to(sink)
    graph.configure()
    graph.vpush(frame)
    marked: av.VideoFrame = graph.vpull()
    return marked
