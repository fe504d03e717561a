"""Whether a film is as long as its headers say."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_sr.video.film.packets import FilmPackets


def missing_seconds(container: Any, stream: Any, packets: FilmPackets) -> Fraction:
    """How much earlier the picture ended than promised; where only the film's own length is known, all its tracks."""
    ended = packets.ends.get(stream.index, packets.begins)
    promised = _stream_end(stream, packets)
    if promised is None:
        length = Fraction(container.duration or 0, 1_000_000)
        promised, ended = packets.begins + length, max(packets.ends.values(), default=ended)
    return promised - ended


def _stream_end(stream: Any, packets: FilmPackets) -> Fraction | None:
    """When the picture's own track ends, by its header or by the tag that Matroska files carry."""
    if stream.duration is not None:
        unit = Fraction(stream.time_base or 1)
        return Fraction(stream.duration + (stream.start_time or 0)) * unit - packets.origin
    hours, separator, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        return Fraction(int(hours) * 3600 + int(minutes) * 60) + Fraction(seconds) if separator else None
    except ValueError:
        return None
