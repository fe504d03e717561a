"""What a film carries beside its picture, and how each track gets into the output's container."""

from __future__ import annotations

import dataclasses
import enum
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sr.video.encode.containers import Container
from edge_sr.video.film.packets import is_cover

if TYPE_CHECKING:
    import av
    import av.container
    import av.stream

# Facts about the old file or the old encoding, untrue of the new one.
STALE = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration"})
STALE_OF_VIDEO = STALE | {"rotate", "bps", "number_of_frames", "number_of_bytes", "alpha_mode"}
# Filled in by every muxer, so of no interest when it is missing.
FILLED_IN = frozenset({"language", "handler_name", "vendor_id"})
# Subtitles that are words, as FFmpeg names them; all others are pictures.
WORDS = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})


class Way(enum.Enum):
    """How a track is taken over: its packets as they are, through FFmpeg's tee muxer, encoded again, as a file."""

    COPY = "copied"
    TEE = "copied by the muxer alone"
    ENCODE = "encoded again"
    ATTACH = "attached"


@dataclasses.dataclass(frozen=True)
class TrackPlan:
    """``ways``: the streams to take over, by index, and how; ``dropped``: a name for each that cannot be;
    ``changed``: a sentence for each that is encoded again."""

    ways: tuple[tuple[int, Way], ...]
    dropped: tuple[str, ...]
    changed: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[int, ...]:
        return tuple(index for index, _ in self.ways)

    @property
    def through_tee(self) -> bool:
        return Way.TEE in dict(self.ways).values()


def fewer_and_fewer(tracks: TrackPlan, names: dict[int, str]) -> Iterator[TrackPlan]:
    """All tracks; should they not go together, sound alone; should that not go either, none."""
    yield tracks
    sound = tuple((index, way) for index, way in tracks.ways if names[index].startswith("audio"))
    if 0 < len(sound) < len(tracks.ways):
        yield dataclasses.replace(tracks, ways=sound)
    if tracks.ways:
        yield dataclasses.replace(tracks, ways=())


def plan_tracks(source: av.container.InputContainer, picture: int, container: Container) -> TrackPlan:
    """Tries every stream but the picture in an empty file of that container."""
    ways: list[tuple[int, Way]] = []
    dropped: list[str] = []
    changed: list[str] = []
    for stream in source.streams:
        if stream.index == picture or _is_kept_otherwise(source, stream):
            continue
        way = _way(source, stream, container)
        if way is None:
            dropped.append(track_name(stream))
            continue
        ways.append((stream.index, way))
        if way is Way.ENCODE:
            changed.append(f"{track_name(stream)} as {encoding_for(container, stream.type)}")
    return TrackPlan(tuple(ways), tuple(dropped), tuple(changed))


def encoding_for(container: Container, kind: str) -> str:
    """What sound or words become where they cannot be copied, by FFmpeg's name."""
    if kind == "audio":
        return {"webm": "libopus", "mkv": "flac"}.get(container.name, "aac")
    return {"webm": "webvtt", "mkv": "subrip"}.get(container.name, "mov_text")


def _is_kept_otherwise(source: Any, stream: Any) -> bool:
    """Tracks that hold what the output has elsewhere: QuickTime's chapters and time code."""
    if stream.type != "data":
        return False
    if _tag(stream) == "tmcd" or "timecode" in stream.metadata:
        return True
    chapters = "mov" in source.format.name and bool(source.chapters())
    return chapters and _tag(stream) in ("text", "")


def _tag(stream: Any) -> str:
    """The four letters by which the container knows the codec; empty where PyAV does not say."""
    try:
        return str(getattr(stream, "codec_tag", "")).strip("\0 ")
    except (AttributeError, ValueError):
        return ""


def _way(source: Any, stream: Any, container: Container) -> Way | None:
    if stream.type == "attachment":
        return Way.COPY if container.name == "mkv" else None
    if stream.type == "video":
        return _way_of_video(stream, container)
    if stream.type == "data":
        return Way.COPY if container.name == "mp4" and _holds(container, stream) else None
    if stream.type not in ("audio", "subtitle") or stream.codec_context is None:
        return None
    if _holds(container, stream):
        return Way.COPY
    # The tee muxer does not hand on chapters.
    if not source.chapters() and _tee_holds(container, stream):
        return Way.TEE
    can_decode = stream.type == "audio" or stream.codec_context.name in WORDS
    return Way.ENCODE if can_decode else None


def _way_of_video(stream: Any, container: Container) -> Way | None:
    """Covers are kept; of further video tracks only the first is upscaled, and one that is not would mislead."""
    if not is_cover(stream):
        return None
    if container.name == "mkv":
        return Way.ATTACH
    return Way.COPY if _holds(container, stream) else None


def track_name(stream: Any) -> str:
    """The track as a person knows it: ``subtitle track 3 (subrip, eng)``."""
    context = stream.codec_context
    title = stream.metadata.get("title") or stream.metadata.get("filename")
    codec = context.name if context is not None else getattr(stream, "name", None)
    details = [detail for detail in (codec, stream.metadata.get("language"), title) if detail]
    kind = "further video" if stream.type == "video" and not is_cover(stream) else stream.type
    return f"{kind} track {stream.index}" + (f" ({', '.join(details)})" if details else "")


def _holds(container: Container, stream: Any) -> bool:
    return _tried(container.muxer, os.devnull, stream)


def _tee_holds(container: Container, stream: Any) -> bool:
    """Asks the muxer itself: PyAV asks FFmpeg's lists first, which lack what some muxers write all the same."""
    return _tried("tee", f"[f={container.muxer}]{os.devnull}", stream)


def _tried(muxer: str, name: str, stream: Any) -> bool:
    import av

    try:
        with av.open(name, "w", format=muxer) as trial:
            copy_stream(trial, stream)
            trial.start_encoding()
        return True
    except (av.error.FFmpegError, ValueError, TypeError):
        return False


def copy_stream(target: av.container.OutputContainer, stream: Any) -> Any:
    """A stream of the same kind in ``target``, with language, title and disposition."""
    twin: Any = target.add_stream_from_template(stream, opaque=True)
    carry_over(stream, twin)
    return twin


def carry_over(stream: Any, twin: Any) -> None:
    """Tags and disposition of ``stream`` to ``twin``."""
    twin.metadata.update(without(stream.metadata, STALE))
    twin.disposition = stream.disposition


def without(metadata: dict[str, str], stale: frozenset[str]) -> dict[str, str]:
    """The entries that are not stale, whatever the case of their keys, nor Matroska's statistics."""
    return {
        key: value
        for key, value in metadata.items()
        if key.lower() not in stale and not key.startswith("_STATISTICS")
    }


def lost_metadata(source: dict[str, str], target: dict[str, str], where: str) -> list[str]:
    """A name for each entry of ``source`` that did not arrive in ``target``."""
    arrived = {key.lower() for key in target}
    expected = [key for key in without(source, STALE) if key.lower() not in FILLED_IN]
    return [f"metadata {key!r} of {where}" for key in expected if key.lower() not in arrived]


def cover_name(stream: Any) -> tuple[str, str]:
    """File name and MIME type of a cover as an attachment."""
    kind = {"mjpeg": "jpeg", "png": "png", "bmp": "bmp", "gif": "gif"}.get(stream.codec_context.name, "jpeg")
    ending = "jpg" if kind == "jpeg" else kind
    name = Path(stream.metadata.get("filename") or f"cover.{ending}").name
    return name, stream.metadata.get("mimetype") or f"image/{kind}"
