"""What of the plan arrived in the finished file: the muxer does not tell of all that it leaves out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edge_sr.video.film.tags import lost_metadata
from edge_sr.video.film.tracks import track_name
from edge_sr.video.opening import ffmpeg_name, is_cover


def lost_parts(source: Any, kept: Iterable[int], result: Any) -> list[str]:
    """A name for each part of ``source`` that is not in ``result``: of its tags, and of the streams to be ``kept``."""
    return [
        *lost_metadata(dict(source.metadata), dict(result.metadata), "the film"),
        *_lost_tracks([source.streams[index] for index in kept], result),
    ]


def _lost_tracks(planned: list[Any], result: Any) -> list[str]:
    """By kind, as the streams of two containers have nothing else in common; the first of a kind are taken as kept."""
    expected, arrived = defaultdict[str, list[Any]](list), defaultdict[str, int](int)
    for stream in planned:
        expected[_kind(stream)].append(stream)
    for stream in result.streams:
        arrived[_kind(stream)] += 1
    return [track_name(stream) for kind, streams in expected.items() for stream in streams[arrived[kind] :]]


def _kind(stream: Any) -> str:
    return "cover" if stream.type == "video" and is_cover(stream) else str(stream.type)


def pictures_in(paths: Iterable[Path]) -> int:
    """How many frames the files hold."""
    import av

    count = 0
    for path in paths:
        with av.open(ffmpeg_name(str(path))) as file:
            # One that the muxer gave up has none.
            count += sum(
                1 for stream in file.streams.video[:1] for packet in file.demux(stream) if packet.size
            )
    return count
