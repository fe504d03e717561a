"""FFmpeg's filters for decoded frames, one at a time; where one only marks frames, pixels are not copied."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av


def open_filter(frame: av.VideoFrame, name: str, arguments: str) -> Any:
    """A graph of one filter for frames like ``frame``, its arguments as ffmpeg's users write them."""
    import av.filter

    graph = av.filter.Graph()
    graph.threads = 1
    unit = Fraction(frame.time_base or 1)
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=unit)
    graph.link_nodes(source, graph.add(name, arguments), graph.add("buffersink")).configure()
    return graph


class FrameFilter:
    """A filter that gives a frame for each at once, set up anew where their shape or its arguments change."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._graph: Any = None
        self._set_up: tuple[str, int, int, str] | None = None

    def __call__(self, frame: av.VideoFrame, arguments: str) -> av.VideoFrame:
        wanted = (arguments, frame.width, frame.height, frame.format.name)
        if wanted != self._set_up:
            self._graph, self._set_up = open_filter(frame, self._name, arguments), wanted
        self._graph.vpush(frame)
        filtered: av.VideoFrame = self._graph.vpull()
        return filtered


def as_progressive(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame, not marked as interlaced: FFmpeg marks PNG's pictures by Adam7 as film of two fields.

    swscale would convert each field for itself, and makes wrong rows of deep RGB, writing beyond its memory.
    """
    return FrameFilter("setfield")(frame, "mode=prog") if frame.interlaced_frame else frame
