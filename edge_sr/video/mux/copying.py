"""The film's other tracks on their way to the output: copied, or encoded again where the container asks for it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Protocol

from edge_sr.video.film.info import Excerpt
from edge_sr.video.film.packets import FilmPackets, presentation
from edge_sr.video.opening import is_cover


class PacketConverter(Protocol):
    """Takes a track's packets, None at the end, and gives those to write in their place."""

    def __call__(self, packet: Any | None) -> Iterable[Any]: ...


@dataclasses.dataclass(frozen=True)
class Window:
    """The part of a film that is taken, in seconds of its timeline: all from ``begin`` up to ``end``.

    ``early``: when the picture begins, where that is before 0; no player would show it.
    """

    begin: Fraction
    end: Fraction | None
    cuts_begin: bool
    early: Fraction = Fraction(0)

    @property
    def shift(self) -> Fraction:
        """What is taken off every time."""
        return self.begin if self.cuts_begin else self.early


def window_of(
    packets: FilmPackets, excerpt: Excerpt, until: Fraction | None, unit: Fraction, first: int = 0
) -> Window:
    """The excerpt's window; ``until`` is where to stop, in seconds of the output, None for the end.

    It begins with the picture, whose times are in ``unit``, the first of them ``first``.
    """
    cuts = bool(excerpt.start)
    begin = excerpt.shift(packets.begins, unit) * unit if cuts else packets.begins
    ends = [] if excerpt.duration is None else [packets.begins + excerpt.start + excerpt.duration]
    ends += [] if until is None else [until + (begin if cuts else 0)]
    return Window(begin, min(ends) if ends else None, cuts, min(0, first) * unit)


def other_packets(
    packets: FilmPackets,
    targets: Mapping[int, Any],
    converters: Mapping[int, PacketConverter],
    window: Window,
) -> Iterator[Any]:
    """The packets of all tracks but the picture in file order, times moved so that the excerpt begins at 0.

    ``targets``: the output's stream for each stream to take over; ``converters`` for those not copied as they are.
    A packet that begins before the excerpt is left out, except a subtitle that is still shown: it begins with the
    excerpt.
    """
    if not targets:
        return
    for packet in packets:
        index = packet.stream_index
        if index in targets and packet.size and _fit(packet, window):
            yield from _converted(packet, index, targets, converters)
    for index, converter in converters.items():
        for packet in converter(None):
            packet.stream = targets[index]
            yield packet


def _converted(
    packet: Any, index: int, targets: Mapping[int, Any], converters: Mapping[int, PacketConverter]
) -> Iterator[Any]:
    for one in converters[index](packet) if index in converters else [packet]:
        one.stream = targets[index]
        yield one


def _fit(packet: Any, window: Window) -> bool:
    """Whether the packet lies in the window; its times are moved as the window is."""
    if is_cover(packet.stream):
        packet.pts = packet.dts = 0
        return True
    time = presentation(packet)
    if time is None:
        return False
    if window.end is None and not (window.cuts_begin or window.shift):
        return True
    unit = packet.time_base
    shift = round(window.shift / unit)
    begins, ends = time * unit, (time + (packet.duration or 0)) * unit
    if window.end is not None and begins >= window.end:
        return False
    if window.cuts_begin and begins < window.begin:
        return packet.stream.type == "subtitle" and ends > window.begin and _clip_subtitle(packet, shift)
    packet.pts = None if packet.pts is None else packet.pts - shift
    packet.dts = None if packet.dts is None else packet.dts - shift
    return True


def _clip_subtitle(packet: Any, shift: int) -> bool:
    packet.duration = packet.pts + packet.duration - shift
    packet.pts = packet.dts = 0
    return True


def rising(packets: Iterator[Any]) -> Iterator[Any]:
    """The packets with decoding times that rise strictly in each stream, by the least that its unit allows.

    Several packets may share a time where the source's unit is coarser than they are long.
    """
    last: dict[int, Fraction] = {}
    for packet in packets:
        if packet.dts is not None:
            index, unit = packet.stream_index, Fraction(packet.stream.time_base)
            earliest = last.get(index, Fraction(-(10**9))) + unit
            if packet.dts * packet.time_base < earliest:
                packet.dts = math.ceil(earliest / unit)
                packet.pts = max(packet.dts, round((packet.pts or 0) * packet.time_base / unit))
                packet.duration = round((packet.duration or 0) * packet.time_base / unit)
                packet.time_base = unit
            last[index] = Fraction(packet.dts * packet.time_base)
        yield packet


def on_stream(packets: Iterator[Any], stream: Any, later: int) -> Iterator[Any]:
    """The packets as ``stream``'s, so many units ``later``."""
    for packet in packets:
        packet.stream = stream
        packet.pts, packet.dts = packet.pts + later, packet.dts + later
        yield packet


def decoding_time(packet: Any) -> Fraction:
    """In seconds; the presentation time where there is none."""
    ticks = packet.pts if packet.dts is None else packet.dts
    return Fraction((ticks or 0) * packet.time_base)


def moved_chapters(chapters: list[Any], packets: FilmPackets, window: Window) -> list[Any]:
    """The chapters within the window, moved and cut to it; none before the film, which muxers refuse."""
    moved = []
    for chapter in chapters:
        unit = Fraction(chapter["time_base"] or 1)
        shift = round((packets.origin + window.shift) / unit)
        first = max(chapter["start"] - shift, 0)
        last = chapter["end"] - shift
        if window.end is not None:
            last = min(last, round((window.end - window.shift) / unit))
        if last > first:
            moved.append({**chapter, "start": first, "end": last})
    return moved
