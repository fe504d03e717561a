"""When a film's frames are shown, told without decoding them: from its packets, as far as those can be believed."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.machine.description import available_cores
from edge_sr.video.film.film import RUN_UP, Film
from edge_sr.video.film.info import Excerpt
from edge_sr.video.film.packets import FilmPackets, presentation
from edge_sr.video.opening import open_input, picture_stream


def packet_times(name: str, excerpt: Excerpt, protocols: Collection[str] = ()) -> Iterator[int] | None:
    """The time of each frame, rising, as ``Film.frames`` gives it where every packet holds one frame that decodes.

    None for a film whose packets have no times. Who uses these times checks them against what is decoded: hidden and
    damaged frames are not known here.
    """
    with closing(open_input(name, protocols=protocols)) as container:
        if not FilmPackets(container).has_times:
            return None
    return _packet_times(name, excerpt, protocols)


def decoded_times(name: str, excerpt: Excerpt, protocols: Collection[str] = ()) -> Iterator[int]:
    """As ``packet_times``, exact for every film, by decoding all of it on all cores: nodes wait for their pieces."""
    with Film(name, excerpt, protocols=protocols, threads=available_cores()) as film:
        for timed in film.frames():
            yield timed.pts


def _packet_times(name: str, excerpt: Excerpt, protocols: Collection[str]) -> Iterator[int]:
    with closing(open_input(name, protocols=protocols)) as container:
        stream: Any = picture_stream(Path(name).name, container)
        unit = Fraction(stream.time_base or Fraction(1, 1000))
        packets = FilmPackets(container)
        if excerpt.start:
            packets.seek(packets.begins + excerpt.start - RUN_UP, stream)
        shown = _in_order(packet for packet in packets if packet.stream_index == stream.index)
        yield from _within(shown, unit, packets.begins, excerpt)


def _in_order(packets: Iterable[Any]) -> Iterator[int]:
    """Presentation times in the order of presentation: none comes before the decoding time that has been reached."""
    waiting: list[int] = []
    for packet in packets:
        if not packet.size or packet.is_discard:
            continue
        pts = presentation(packet)
        if pts is not None:
            heapq.heappush(waiting, pts)
        while packet.dts is not None and waiting and waiting[0] <= packet.dts:
            yield heapq.heappop(waiting)
    while waiting:
        yield heapq.heappop(waiting)


def _within(times: Iterable[int], unit: Fraction, begins: Fraction, excerpt: Excerpt) -> Iterator[int]:
    """Times from the excerpt's beginning, at which the frame that is being shown begins."""
    shift = excerpt.shift(begins, unit)
    end = None if excerpt.duration is None else begins + excerpt.start + excerpt.duration
    last: int | None = None
    earlier = False
    for pts in times:
        if end is not None and pts * unit >= end:
            break
        if excerpt.start and pts < shift:
            earlier = True
            continue
        if earlier and pts > shift:
            yield 0
        earlier = False
        last = pts if last is None or pts > last else last + 1
        yield last - shift
