"""What a film carries beside its picture: which of it the output's container can hold, and copying that."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from edge_sr.video.encode.containers import Container
from edge_sr.video.film.film import Excerpt

if TYPE_CHECKING:
    import av
    import av.container
    import av.stream

# Facts about the old file or the old encoding, untrue of the new one.
STALE = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration"})
STALE_OF_VIDEO = STALE | {"rotate", "bps", "number_of_frames", "number_of_bytes"}
# Filled in by every muxer, so of no interest when it is missing.
FILLED_IN = frozenset({"language", "handler_name", "vendor_id", "creation_time"})


@dataclasses.dataclass(frozen=True)
class TrackPlan:
    """Indices of the streams to copy, and a name for each that the container cannot hold."""

    kept: tuple[int, ...]
    dropped: tuple[str, ...]


def plan_tracks(source: av.container.InputContainer, picture: int, container: Container) -> TrackPlan:
    """Tries every stream but the picture in an empty file of that container."""
    kept, dropped = [], []
    for stream in source.streams:
        if stream.index == picture:
            continue
        if _is_picture(stream) or not _holds(container, stream):
            dropped.append(track_name(stream))
        else:
            kept.append(stream.index)
    return TrackPlan(tuple(kept), tuple(dropped))


def _is_picture(stream: Any) -> bool:
    """A further video track: only the first is upscaled, and mixing in one that is not would mislead."""
    from av.stream import Disposition

    return stream.type == "video" and not stream.disposition & Disposition.attached_pic


def track_name(stream: Any) -> str:
    """The track as a person knows it: ``subtitle track 3 (subrip, eng)``."""
    context = stream.codec_context
    title = stream.metadata.get("title") or stream.metadata.get("filename")
    codec = context.name if context is not None else getattr(stream, "name", None)
    details = [detail for detail in (codec, stream.metadata.get("language"), title) if detail]
    return f"{stream.type} track {stream.index}" + (f" ({', '.join(details)})" if details else "")


def _holds(container: Container, stream: Any) -> bool:
    import av

    if stream.type == "attachment" and container.name != "mkv":
        return False
    if stream.type == "data" and container.name != "mp4":
        return False
    try:
        with av.open(io.BytesIO(), "w", format=container.muxer) as trial:
            copy_stream(trial, stream)
            trial.start_encoding()
        return True
    except (av.error.FFmpegError, ValueError, TypeError):
        return False


def copy_stream(target: av.container.OutputContainer, stream: Any) -> Any:
    """A stream of the same kind in ``target``, with language, title and disposition."""
    twin: Any = target.add_stream_from_template(stream, opaque=True)
    twin.metadata.update(without(stream.metadata, STALE))
    twin.disposition = stream.disposition
    return twin


def copied_packets(
    source: av.container.InputContainer, twins: dict[int, Any], excerpt: Excerpt, until: Fraction | None
) -> Iterator[Any]:
    """The packets of all copied streams in file order, times moved so that the excerpt begins at 0.

    ``until`` is where to stop, in seconds of the output; None reads to the end. A packet that begins before
    the excerpt is left out, except a subtitle that is still shown: it begins with the excerpt.
    """
    import av

    streams = [source.streams[index] for index in twins]
    if not streams:
        return
    window = _Window(source, excerpt, until)
    packets = source.demux(streams)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            return
        if packet is None:
            return
        if packet.size and window.fit(packet):
            packet.stream = twins[packet.stream_index]
            yield packet


class _Window:
    """The excerpt's bounds in seconds, and what is cut to them."""

    def __init__(self, source: av.container.InputContainer, excerpt: Excerpt, until: Fraction | None) -> None:
        origin = Fraction(source.start_time or 0, 1_000_000)
        self._shift = origin + excerpt.start if excerpt.start else Fraction(0)
        self._cuts_start = bool(excerpt.start)
        ends = [] if excerpt.duration is None else [origin + excerpt.start + excerpt.duration - self._shift]
        ends += [] if until is None else [until]
        self._end = min(ends) if ends else None

    def fit(self, packet: Any) -> bool:
        """Whether the packet lies in the window; its times are moved as the excerpt is."""
        time = packet.dts if packet.pts is None else packet.pts
        if time is None:
            return _is_cover(packet)
        unit = packet.time_base
        shift = round(self._shift / unit)
        begins, ends = (time - shift) * unit, (time + (packet.duration or 0) - shift) * unit
        if self._end is not None and begins >= self._end:
            return False
        if self._cuts_start and begins < 0:
            return packet.stream.type == "subtitle" and ends > 0 and _clip_subtitle(packet, shift)
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = None if packet.dts is None else packet.dts - shift
        return True


def _is_cover(packet: Any) -> bool:
    """A cover picture has no time of its own; other packets without one cannot be placed."""
    from av.stream import Disposition

    packet.pts = packet.dts = 0
    return bool(packet.stream.disposition & Disposition.attached_pic)


def _clip_subtitle(packet: Any, shift: int) -> bool:
    packet.duration = packet.pts + packet.duration - shift
    packet.pts = packet.dts = 0
    return True


def moved_chapters(
    source: av.container.InputContainer, excerpt: Excerpt, until: Fraction | None
) -> list[Any]:
    """The chapters within the excerpt, moved and cut to it."""
    origin = Fraction(source.start_time or 0, 1_000_000)
    shift = origin + excerpt.start if excerpt.start else Fraction(0)
    end = until
    if excerpt.duration is not None:
        end = min(until or excerpt.duration, origin + excerpt.start + excerpt.duration - shift)
    moved = []
    for chapter in source.chapters():
        unit = Fraction(chapter["time_base"] or 1)
        first = max(chapter["start"] - round(shift / unit), 0 if excerpt.start else chapter["start"])
        last = chapter["end"] - round(shift / unit)
        if end is not None:
            last = min(last, round(end / unit))
        if last > first:
            moved.append({**chapter, "start": first, "end": last})
    return moved


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
