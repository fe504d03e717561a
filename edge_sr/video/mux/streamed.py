"""A film muxed while its segments are made, into a stream that goes one way: fragmented MP4, or Matroska."""

from __future__ import annotations

import dataclasses
import functools
import io
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from edge_sr.errors import EdgeSRError
from edge_sr.files.atomic import writing
from edge_sr.video.encode.containers import Container
from edge_sr.video.encode.segments import Segment
from edge_sr.video.encode.splicing import Pieces, reorder_delay
from edge_sr.video.film.tracks import Way, fewer_and_fewer
from edge_sr.video.mux.matroska_aspect import PIXEL_ASPECT, says_aspect
from edge_sr.video.mux.mux import Muxed, MuxPlan, MuxRun

# Each fragment begins with a keyframe, and stands where the stream is cut; its header waits for the first, for only
# then is it known where the tracks begin.
# FFmpeg's muxer gives a cover a track of its own then, which holds nothing and has no codec.
FRAGMENTS = "+frag_keyframe+delay_moov+default_base_moof"


class ByteSink(Protocol):
    """What takes the stream. It cannot seek; an error that it raises ends the film."""

    def write(self, data: bytes) -> int: ...


class Trial:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def streamable(plan: MuxPlan) -> MuxPlan:
    """The plan without what only a file can hold: tracks that FFmpeg's tee muxer would have to write, MP4's covers."""
    tracks = plan.tracks
    ways = tuple(
        (index, way)
        for index, way in tracks.ways
        if way is not Way.TEE and not (way is Way.COPY and tracks.is_kind(index, "cover"))
    )
    fewer = dataclasses.replace(tracks, ways=ways)
    dropped = (*tracks.dropped, *tracks.left_out(fewer))
    return dataclasses.replace(plan, tracks=dataclasses.replace(fewer, dropped=dropped))


def mux_stream(
    segments: Iterator[Segment], plan: MuxPlan, sink: ByteSink, begin: Callable[[list[str]], None]
) -> Muxed:
    """Writes the film to ``sink`` as its segments come; each one's file goes when it has been read.

    Tracks that do not go together are found out with the first segment and left out. ``begin`` is told a name for each
    part that is lost, before the first byte. Raises what ``sink`` and ``begin`` raise, or ``ResourceError``.
    """
    first = next(segments, None)
    if first is None:
        return Muxed()
    fitting, trial = _fitting(first, plan)
    muxed = Muxed(plan.tracks.left_out(fitting.tracks))
    begin([*muxed.lost, *trial.lost])
    pieces = Pieces(first, _used(itertools.chain([first], segments)), reorder_delay(first))
    with writing("the stream"):
        MuxRun(pieces, fitting, functools.partial(_open_stream, sink, plan.container), None, muxed).run()
    return muxed


def _fitting(first: Segment, plan: MuxPlan) -> tuple[MuxPlan, Muxed]:
    """The plan with the tracks that the muxer takes, tried on the film's first segment, and what that came to."""
    import av

    pieces = Pieces.of([first])
    until = first.end_pts * plan.recipe.time_base
    for tracks in fewer_and_fewer(plan.tracks):
        fewer, muxed, trial = dataclasses.replace(plan, tracks=tracks), Muxed(), Trial()
        try:
            MuxRun(pieces, fewer, functools.partial(_open_stream, trial, plan.container), until, muxed).run()
            break
        except (av.error.FFmpegError, ValueError, TypeError, RuntimeError) as error:
            if isinstance(error, EdgeSRError) or not tracks.ways:
                raise
    # A header that has gone out cannot be mended, as a file's is.
    if not says_aspect(io.BytesIO(trial.data), plan.recipe.aspect):
        muxed.lost.append(PIXEL_ASPECT)
    return fewer, muxed


def _used(segments: Iterator[Segment]) -> Iterator[Segment]:
    for segment in segments:
        yield segment
        segment.path.unlink(missing_ok=True)


def _open_stream(sink: ByteSink, container: Container, options: dict[str, str]) -> Any:
    import av

    if container.name in ("mp4", "mov"):
        options = {**options, "movflags": options.get("movflags", "") + FRAGMENTS}
    return av.open(sink, "w", format=container.muxer, container_options=options)
