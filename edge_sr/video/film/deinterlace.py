"""Interlaced frames to progressive ones, one for one, with the timestamps they had."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from edge_sr.video.frames.filtering import as_progressive, open_filter

if TYPE_CHECKING:
    import av

# Codecs whose frames have no fields, whatever their decoders mark.
WITHOUT_FIELDS = ("png", "apng")


class Deinterlacer:
    """FFmpeg's bwdif, set up at the first interlaced frame of ``codec``; progressive frames pass through untouched.

    The filter holds one frame back, so ``flush`` must be called at the end.
    """

    def __init__(self, codec: str) -> None:
        self._has_fields = codec not in WITHOUT_FIELDS
        self._graph: Any = None
        self._shape: tuple[int, int, str] | None = None
        self.active = False

    def push(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """The frames that are ready once this one is in; a change of size starts a new filter."""
        if not self._has_fields:
            yield as_progressive(frame)
            return
        shape = (frame.width, frame.height, frame.format.name)
        if self._graph is not None and shape != self._shape:
            yield from self.flush()
        if self._graph is None:
            if not frame.interlaced_frame:
                yield frame
                return
            self._open(frame)
            self._shape = shape
        self._graph.vpush(frame)
        yield from self._drain(self._graph)

    def flush(self) -> Iterator[av.VideoFrame]:
        """The frames still inside; the filter is closed."""
        if self._graph is None:
            return
        graph, self._graph = self._graph, None
        graph.vpush(None)
        yield from self._drain(graph)

    def _open(self, frame: av.VideoFrame) -> None:
        self.active = True
        self._time_base = Fraction(frame.time_base or 1)
        self._graph = open_filter(frame, "bwdif", "mode=send_frame:parity=auto:deint=interlaced")

    def _drain(self, graph: Any) -> Iterator[av.VideoFrame]:
        import av

        while True:
            try:
                frame = graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            # bwdif halves the time base; the film's own goes back in, exactly.
            unit = Fraction(frame.time_base) / self._time_base
            if frame.pts is not None:
                frame.pts = round(frame.pts * unit)
            frame.duration = round(frame.duration * unit)
            frame.time_base = self._time_base
            yield frame
