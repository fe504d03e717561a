"""What of the plan arrived in the finished file: the muxer does not tell of all that it leaves out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edge_sr.video.film.tags import UNKNOWN, lost_metadata
from edge_sr.video.film.tracks import track_name
from edge_sr.video.mux.time_code import KEY
from edge_sr.video.opening import is_cover, open_made

# FFmpeg's names of the marks by which a track is chosen; of some there are two, and containers have one or the other.
MARKS = {
    "forced": ("forced",),
    "commentary": ("comment",),
    "hearing impaired": ("hearing_impaired", "captions"),
    "visually impaired": ("visual_impaired", "descriptions"),
    "dubbed": ("dub",),
    "original": ("original",),
    "lyrics": ("lyrics",),
    "karaoke": ("karaoke",),
    "clean effects": ("clean_effects",),
}
# Where a track's title stands: in MP4 and MOV as the second.
TITLES = frozenset({"title", "name"})


def lost_parts(source: Any, kept: Iterable[int], result: Any) -> list[str]:
    """A name for each part of ``source`` that is not in ``result``: of its tags, and of the streams to be ``kept``."""
    arrived = dict(result.metadata)
    # MP4 and MOV have a film's time code in a track, and FFmpeg tells it of the picture.
    if any(KEY in stream.metadata for stream in result.streams):
        arrived.setdefault(KEY, "")
    return [
        *lost_metadata(dict(source.metadata), arrived, "the film"),
        *_lost_tracks([source.streams[index] for index in sorted(kept)], result),
    ]


def lost_words(source: Any, kept: Iterable[int], result: Any) -> list[str]:
    """As ``lost_parts``, but no tracks: of kinds of which one is missing nothing is said."""
    names = {track_name(source.streams[index]) for index in kept}
    return [name for name in lost_parts(source, kept, result) if name not in names]


def _lost_tracks(planned: list[Any], result: Any) -> list[str]:
    """By kind, as the streams of two containers have nothing else in common; the first of a kind are taken as kept."""
    expected, arrived = _by_kind(planned), _by_kind(result.streams)
    lost = []
    for kind, streams in expected.items():
        twins = arrived[kind]
        lost += [track_name(stream) for stream in streams[len(twins) :]]
        if len(streams) == len(twins):
            lost += [name for pair in zip(streams, twins, strict=True) for name in _lost_of_track(*pair)]
    return lost


def _by_kind(streams: Iterable[Any]) -> defaultdict[str, list[Any]]:
    found = defaultdict[str, list[Any]](list)
    for stream in streams:
        found[_kind(stream)].append(stream)
    return found


def _lost_of_track(stream: Any, twin: Any) -> list[str]:
    """A name for each thing by which people choose a track, and that is no longer said of it."""
    lost = [f"the mark {mark!r}" for mark in sorted(_marks(stream) - _marks(twin))]
    language = stream.metadata.get("language", "")
    if language not in UNKNOWN and twin.metadata.get("language", "") in UNKNOWN:
        lost.append(f"the language {language!r}")
    if not TITLES.isdisjoint(stream.metadata) and TITLES.isdisjoint(twin.metadata):
        lost.append("the title")
    return [f"{name} of {track_name(stream)}" for name in lost]


def _marks(stream: Any) -> set[str]:
    from av.stream import Disposition

    return {
        mark for mark, names in MARKS.items() if any(stream.disposition & Disposition[name] for name in names)
    }


def _kind(stream: Any) -> str:
    return "cover" if stream.type == "video" and is_cover(stream) else str(stream.type)


def pictures_in(paths: Iterable[Path]) -> int:
    """How many frames the files hold."""
    count = 0
    for path in paths:
        with open_made(path) as file:
            # One that the muxer gave up has none.
            count += sum(
                1 for stream in file.streams.video[:1] for packet in file.demux(stream) if packet.size
            )
    return count
