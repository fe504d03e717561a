"""Tracks that begin so late in a stream that FFmpeg does not know of them when it opens the file."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from edge_sr.video.film.tracks import track_name
from edge_sr.video.opening import PROBING, ffmpeg_name
from edge_sr.video.protocols import opening_options

# Formats without a list of their tracks in front: one is known of when its first packet comes.
WITHOUT_LIST = ("mpeg", "mpegts")
# FFmpeg reads so far at a place, in bytes and microseconds, and there are so many places.
LOOKS = {"probesize": str(2 << 20), "analyzeduration": "2000000"}
PLACES = 32


def late_tracks(name: str, source: Any, protocols: Collection[str] = ()) -> list[str]:
    """A name for each track of the file that ``source``, which has it open, does not know of.

    It is looked for at places all over the file: one that is short and lies between two of them stays unknown.
    """
    if source.format.name not in WITHOUT_LIST or not Path(name).is_file():
        return []
    size = Path(name).stat().st_size
    if size <= int(PROBING["probesize"]) and 0 < (source.duration or 0) <= int(PROBING["analyzeduration"]):
        return []
    known, found = {stream.id for stream in source.streams}, list[str]()
    options = {**opening_options(name, "file", protocols), **LOOKS}
    for place in range(1, PLACES):
        for identity, track in _tracks_at(name, source.format.name, size * place // PLACES, options):
            if identity not in known:
                known.add(identity)
                found.append(f"{track}, which begins too late to be taken over")
    return found


def _tracks_at(name: str, muxer: str, place: int, options: dict[str, str]) -> list[tuple[int, str]]:
    import av

    try:
        with av.open(
            ffmpeg_name(name),
            format=muxer,
            options={**options, "skip_initial_bytes": str(place)},
            metadata_errors="replace",
        ) as part:
            return [(stream.id, track_name(stream)) for stream in part.streams if stream.codec_context]
    except (av.error.FFmpegError, ValueError):
        return []
