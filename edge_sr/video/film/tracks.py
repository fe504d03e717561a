"""What a film carries beside its picture, and how each track gets into the output's container."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sr.video.encode.containers import Container
from edge_sr.video.film.channels import channels_of, encoded_layout
from edge_sr.video.film.trials import Trials
from edge_sr.video.opening import is_cover, is_still_of_sequence

if TYPE_CHECKING:
    import av.container

# Subtitles that are words, as FFmpeg names them; all others are pictures.
WORDS = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})
# Matroska counts their samples by the film's length, which FFmpeg's muxer rounds: the last packet would not decode.
MISCOUNTED = ("tta",)


class Way(enum.Enum):
    """How a track is taken over: its packets as they are, through FFmpeg's tee muxer, encoded again, as a file."""

    COPY = "copied"
    TEE = "copied by the muxer alone"
    ENCODE = "encoded again"
    ATTACH = "attached"


@dataclasses.dataclass(frozen=True)
class TrackPlan:
    """``ways``: the streams to take over, by index, and how; ``dropped``: a name for each that cannot be;
    ``changed``: a sentence for each that is encoded again.

    So that the source need not be opened again, ``names`` of all its streams and the ``first`` packets of those that
    were looked for, by index.
    """

    ways: tuple[tuple[int, Way], ...]
    dropped: tuple[str, ...]
    changed: tuple[str, ...] = ()
    names: Mapping[int, str] = dataclasses.field(default_factory=dict, compare=False)
    first: Mapping[int, bytes] = dataclasses.field(default_factory=dict, compare=False)

    @property
    def kept(self) -> tuple[int, ...]:
        return tuple(index for index, _ in self.ways)

    @property
    def through_tee(self) -> bool:
        return Way.TEE in dict(self.ways).values()

    def is_kind(self, index: int, kind: str) -> bool:
        """Whether the stream's name is that of an ``audio`` track, a ``cover`` and so on."""
        return self.names[index].startswith(kind)

    def left_out(self, fewer: TrackPlan) -> list[str]:
        """A name for each of its tracks that is not among ``fewer``."""
        return [self.names[index] for index in self.kept if index not in fewer.kept]


def fewer_and_fewer(tracks: TrackPlan) -> Iterator[TrackPlan]:
    """All tracks; should they not go together, all but one, where that is sound encoded again before it is left out;
    should that not go either, sound alone, or none."""
    yield tracks
    sound = tuple((index, way) for index, way in tracks.ways if tracks.is_kind(index, "audio"))
    others = [one for one in tracks.ways if one not in sound]
    for one in (*others, *sound):
        if one in sound and one[1] is not Way.ENCODE:
            yield _without(tracks, one, (one[0], Way.ENCODE))
        if len(tracks.ways) > 1:
            yield _without(tracks, one)
    if len(others) > 1 and sound:
        yield dataclasses.replace(tracks, ways=sound)
    if tracks.ways:
        yield dataclasses.replace(tracks, ways=())


def _without(tracks: TrackPlan, one: tuple[int, Way], *instead: tuple[int, Way]) -> TrackPlan:
    """The plan with ``instead`` in the place of one track."""
    place = tracks.ways.index(one)
    return dataclasses.replace(tracks, ways=(*tracks.ways[:place], *instead, *tracks.ways[place + 1 :]))


def plan_tracks(source: av.container.InputContainer, picture: int, container: Container) -> TrackPlan:
    """Tries every stream but the picture in a file of that container, with its first packet if it is sound.

    Reads the beginning of ``source``.
    """
    ways: list[tuple[int, Way]] = []
    dropped: list[str] = []
    changed: list[str] = []
    others = (stream for stream in source.streams if stream.index != picture)
    streams = [stream for stream in others if not _is_kept_otherwise(source, stream)]
    trials = Trials(source, streams, container)
    for stream in streams:
        way = _way(source, stream, container, trials)
        if way is None:
            dropped.append(track_name(stream))
            continue
        ways.append((stream.index, way))
        if way is Way.ENCODE:
            changed.append(f"{track_name(stream)} as {_encoded(container, stream)}")
    names = {stream.index: track_name(stream) for stream in source.streams}
    return TrackPlan(tuple(ways), tuple(dropped), tuple(changed), names, trials.first)


def _encoded(container: Container, stream: Any) -> str:
    """What the track becomes; of sound also how many of its channels are left, where those are fewer."""
    codec = encoding_for(container, stream.type)
    if stream.type != "audio":
        return codec
    layout, channels = encoded_layout(codec, stream.codec_context), stream.codec_context.layout.nb_channels
    return f"{codec}, its {channels} channels as {layout}" if channels_of(layout) < channels else codec


def encoding_for(container: Container, kind: str) -> str:
    """What sound or words become where they cannot be copied, by FFmpeg's name."""
    if kind == "audio":
        return {"webm": "libopus", "mkv": "flac"}.get(container.name, "aac")
    return {"webm": "webvtt", "mkv": "subrip"}.get(container.name, "mov_text")


def _is_kept_otherwise(source: Any, stream: Any) -> bool:
    """Tracks that hold what the output has elsewhere: QuickTime's chapters and time code, an animation's still; and a
    DVD's navigation, which means nothing without its menus."""
    if is_still_of_sequence(source, stream):
        return True
    if stream.type != "data":
        return False
    if stream.name == "dvd_nav_packet" or _is_time_code(stream):
        return True
    chapters = "mov" in source.format.name and bool(source.chapters())
    return chapters and _tag(stream) in ("text", "")


def _is_time_code(stream: Any) -> bool:
    """Cameras that record what they do with every frame, such as Sony's, have a time code among it."""
    is_more = "metadata" in stream.metadata.get("handler_name", "").lower()
    return _tag(stream) == "tmcd" or ("timecode" in stream.metadata and not is_more)


def _tag(stream: Any) -> str:
    """The four letters by which the container knows the codec; empty where PyAV does not say."""
    try:
        return str(getattr(stream, "codec_tag", "")).strip("\0 ")
    except (AttributeError, ValueError):
        return ""


def _way(source: Any, stream: Any, container: Container, trials: Trials) -> Way | None:
    if stream.type == "attachment":
        return Way.COPY if container.name == "mkv" else None
    if stream.type == "video":
        return _way_of_video(stream, container, trials)
    if stream.type == "data":
        return Way.COPY if container.name == "mp4" and trials.hold(stream) else None
    if stream.type not in ("audio", "subtitle") or stream.codec_context is None:
        return None
    if stream.codec_context.name in MISCOUNTED:
        return Way.ENCODE
    if trials.hold(stream):
        return Way.COPY
    # The tee muxer does not hand on chapters.
    if not source.chapters() and trials.tee_holds(stream):
        return Way.TEE
    can_decode = stream.type == "audio" or stream.codec_context.name in WORDS
    return Way.ENCODE if can_decode else None


def _way_of_video(stream: Any, container: Container, trials: Trials) -> Way | None:
    """Covers are kept; of further video tracks only the first is upscaled, and one that is not would mislead."""
    if not is_cover(stream):
        return None
    if container.name == "mkv":
        return Way.ATTACH
    # FFmpeg's muxer of MOV takes a cover and does not write it.
    return Way.COPY if container.name == "mp4" and trials.hold(stream) else None


def track_name(stream: Any) -> str:
    """The track as a person knows it: ``subtitle track 3 (subrip, eng)``."""
    context = stream.codec_context
    title = stream.metadata.get("title") or stream.metadata.get("filename")
    codec = context.name if context is not None else getattr(stream, "name", None)
    details = [detail for detail in (codec, stream.metadata.get("language"), title) if detail]
    kind = stream.type if stream.type != "video" else "cover" if is_cover(stream) else "further video"
    return f"{kind} track {stream.index}" + (f" ({', '.join(details)})" if details else "")


def cover_name(stream: Any) -> tuple[str, str]:
    """File name and MIME type of a cover as an attachment."""
    kind = {"mjpeg": "jpeg", "png": "png", "bmp": "bmp", "gif": "gif"}.get(stream.codec_context.name, "jpeg")
    ending = "jpg" if kind == "jpeg" else kind
    name = Path(stream.metadata.get("filename") or f"cover.{ending}").name
    return name, stream.metadata.get("mimetype") or f"image/{kind}"
