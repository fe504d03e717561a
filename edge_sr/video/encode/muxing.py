"""Finished pieces and the source's other tracks to one film, nothing encoded again."""

from __future__ import annotations

import dataclasses
import heapq
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sr.video.colour import Colour
from edge_sr.video.encode.containers import Container, muxer_options
from edge_sr.video.encode.segments import Segment
from edge_sr.video.encode.splicing import joined_packets
from edge_sr.video.film.film import Excerpt
from edge_sr.video.film.tracks import (
    STALE,
    STALE_OF_VIDEO,
    TrackPlan,
    copied_packets,
    copy_stream,
    lost_metadata,
    moved_chapters,
    without,
)
from edge_sr.video.opening import open_input, writing

if TYPE_CHECKING:
    import av.container


@dataclasses.dataclass(frozen=True)
class JoinPlan:
    """All that the joined film takes from the source: its tracks, times, tags and excerpt."""

    source: str
    picture: int
    container: Container
    tracks: TrackPlan
    excerpt: Excerpt
    time_base: Fraction
    rate: Fraction
    aspect: Fraction
    colour: Colour


def join(
    segments: list[Segment], plan: JoinPlan, target: Path, *, until: Fraction | None = None
) -> list[str]:
    """Writes ``target``, and returns a name for each piece of metadata that the container did not take.

    ``until`` cuts the other tracks, in seconds, for a film that is not finished. ``target`` is written
    in place: the caller renames it.
    """
    with open_input(plan.source) as source, writing(str(target)):
        _write(source, segments, plan, target, until)
    _to_disk(target)
    return _lost(plan, target)


def _write(
    source: av.container.InputContainer,
    segments: list[Segment],
    plan: JoinPlan,
    target: Path,
    until: Fraction | None,
) -> None:
    import av

    metadata = without(source.metadata, STALE)
    options = muxer_options(plan.container, _late(source, segments, plan), metadata)
    with av.open(str(segments[0].path)) as first:
        output = av.open(str(target), "w", format=plan.container.muxer, container_options=options)
        try:
            video, twins = _add_streams(output, source, first.streams.video[0], plan)
            output.metadata.update(metadata)
            output.set_chapters(moved_chapters(source, plan.excerpt, until))
            for packet in _interleaved(source, segments, video, twins, plan, until):
                output.mux(packet)
        finally:
            output.close()


def _late(source: av.container.InputContainer, segments: list[Segment], plan: JoinPlan) -> list[Fraction]:
    """The time bases of the tracks that do not begin at 0."""
    copied = [source.streams[index] for index in plan.tracks.kept]
    units = [Fraction(stream.time_base or 1) for stream in copied if stream.start_time]
    return [*units, plan.time_base] if segments[0].first_pts else units


def _add_streams(
    output: av.container.OutputContainer, source: av.container.InputContainer, template: Any, plan: JoinPlan
) -> tuple[Any, dict[int, Any]]:
    """The output's streams, in the source's order."""
    twins: dict[int, Any] = {}
    video: Any = None
    for stream in source.streams:
        if stream.index == plan.picture:
            video = output.add_stream_from_template(template, opaque=True)
            video.time_base = plan.time_base
            video.codec_context.sample_aspect_ratio = plan.aspect
            video.codec_context.framerate = plan.rate
            video.metadata.update(without(stream.metadata, STALE_OF_VIDEO))
            video.disposition = stream.disposition
        elif stream.index in plan.tracks.kept:
            twins[stream.index] = copy_stream(output, stream)
    return video, twins


def _interleaved(
    source: av.container.InputContainer,
    segments: list[Segment],
    video: Any,
    twins: dict[int, Any],
    plan: JoinPlan,
    until: Fraction | None,
) -> Iterator[Any]:
    """Video and copied packets merged by time, so that the muxer never holds much back."""
    pictures = _on_stream(joined_packets(segments, plan.time_base), video)
    others = copied_packets(source, twins, plan.excerpt, until)
    return heapq.merge(pictures, others, key=_decoding_time)


def _on_stream(packets: Iterator[Any], stream: Any) -> Iterator[Any]:
    for packet in packets:
        packet.stream = stream
        yield packet


def _decoding_time(packet: Any) -> Fraction:
    ticks = packet.pts if packet.dts is None else packet.dts
    return Fraction(ticks * packet.time_base)


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _lost(plan: JoinPlan, target: Path) -> list[str]:
    with open_input(plan.source) as source, open_input(str(target)) as result:
        return lost_metadata(dict(source.metadata), dict(result.metadata), "the film")
