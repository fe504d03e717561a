"""The film containers that are written, and which file extension means which."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection
from fractions import Fraction
from pathlib import Path

from edge_sr.errors import OptionError
from edge_sr.video.encode.codecs import codec_named


@dataclasses.dataclass(frozen=True)
class Container:
    """``name`` as users know it, ``muxer`` as FFmpeg does."""

    name: str
    muxer: str
    extensions: tuple[str, ...]


CONTAINERS = (
    Container("mp4", "mp4", (".mp4", ".m4v")),
    Container("mkv", "matroska", (".mkv",)),
    Container("mov", "mov", (".mov",)),
    Container("webm", "webm", (".webm",)),
)
# File extension -> muxer.
MUXERS = {extension: container.muxer for container in CONTAINERS for extension in container.extensions}


def container_for(path: Path) -> Container:
    """The container of a file name; ``OptionError`` lists those there are."""
    found = known_container(path)
    if found is None:
        raise OptionError(f"a film is written as one of {', '.join(MUXERS)}, found {path.name}")
    return found


def known_container(path: Path) -> Container | None:
    suffix = path.suffix.lower()
    return next((container for container in CONTAINERS if suffix in container.extensions), None)


def film_suffix(name: Path, codec: str | None = None) -> str:
    """The suffix of a result that nobody named: the film's own where that container is written and takes the codec,
    else that of Matroska, which holds most."""
    container = known_container(name)
    holds = container is not None and (codec is None or container.name in codec_named(codec).containers)
    return name.suffix if holds else ".mkv"


# What MP4's own table of tags has room for; anything else needs QuickTime's free-form keys.
MP4_TAGS = {
    *("title", "artist", "album", "album_artist", "composer", "date", "genre", "comment", "description"),
    *("synopsis", "show", "episode_id", "network", "lyrics", "copyright", "grouping", "track", "disc"),
    *("location", "location-eng", "creation_time", "timecode", "encoder"),
    *("media_type", "hd_video", "season_number", "episode_sort", "keywords", "compilation"),
    "gapless_playback",
}


# Beyond this a film's length would no longer fit into 32 bits after some minutes.
FINEST = 10_000_000


def muxer_options(
    container: Container, late: Collection[Fraction], metadata: Collection[str], *, has_cover: bool = False
) -> dict[str, str]:
    """Options of the muxer that keep timestamps exact and every metadata key that can be kept beside a cover.

    ``late`` are the time bases of the tracks that do not begin at 0. MP4 and MOV give such a start in the unit of
    the whole film, a millisecond by default: too coarse for it.
    """
    options: dict[str, str] = {}
    if container.name not in ("mp4", "mov"):
        # Sound that begins before 0, as AAC's does, would move the picture by as much.
        return {"avoid_negative_ts": "disabled"}
    timescale = math.lcm(*(unit.denominator for unit in late))
    if late and timescale <= FINEST:
        options["movie_timescale"] = str(timescale)
    # Covers stand in MP4's own table, and FFmpeg writes one of the two.
    if not has_cover and not MP4_TAGS.issuperset(metadata):
        options["movflags"] = "+use_metadata_tags"
    return options
