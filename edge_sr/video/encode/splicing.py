"""The packets of finished segments as one stream, its times those of the film."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from edge_sr.video.encode.segments import Segment
from edge_sr.video.opening import open_made


def read_packets(segment: Segment, time_base: Fraction) -> list[Any]:
    """The packets of a segment in decoding order, with the film's own presentation times.

    Each lasts until the next is shown, the last one to the segment's end: not every container tells.
    """
    with open_made(segment.path) as file:
        packets: list[Any] = [packet for packet in file.demux(video=0) if packet.size]
    for packet in packets:
        packet.pts = round(packet.pts * packet.time_base / time_base) + segment.first_pts
        packet.time_base = time_base
    shown = sorted(packets, key=lambda packet: packet.pts)
    for packet, following in itertools.zip_longest(shown, shown[1:]):
        packet.duration = max(0, (segment.end_pts if following is None else following.pts) - packet.pts)
    return packets


def reorder_delay(segment: Segment) -> int:
    """By how many frames decoding runs ahead of display: the packets decoded before time 0."""
    delay = 0
    with open_made(segment.path) as file:
        for packet in file.demux(video=0):
            if packet.dts is None or packet.dts >= 0:
                return delay
            delay += 1
    return delay


@dataclasses.dataclass(frozen=True)
class Pieces:
    """A film's segments, which may still be in the making: ``segments`` waits for each, from the ``first`` on.

    ``delay``: by how many frames decoding runs ahead of display; ``last``: the last one, where it is known.
    """

    first: Segment
    segments: Iterable[Segment]
    delay: int
    last: Segment | None = None

    @classmethod
    def of(cls, segments: list[Segment]) -> Pieces:
        """All of a film that is made."""
        return cls(segments[0], segments, max(map(reorder_delay, segments)), segments[-1])


def spliced_packets(pieces: Pieces, time_base: Fraction, *, adds_up: bool = False) -> Iterator[Any]:
    """The packets of all segments as one stream, decoding times recomputed to rise throughout.

    Packet ``i`` decodes when frame ``i - delay`` is shown: never later than its own time, since no packet
    comes more than ``delay`` places early. ``adds_up``: the last one, where it is known, lasts so long that decoding
    takes as long as the film, which is how MP4 says how long a film is.
    """
    delay = pieces.delay
    shown: list[int] = []
    lead = begin = 0
    for segment in pieces.segments:
        packets = read_packets(segment, time_base)
        times = sorted(packet.pts for packet in packets)
        if not shown:
            begin, lead = times[0], delay * max(1, packets[0].duration or 1)
            shown = [begin - lead * back // delay for back in range(delay, 0, -1)]
        shown = shown[len(shown) - delay :] + times
        for packet, dts in zip(packets, shown, strict=False):
            packet.dts = dts
            if adds_up and segment is pieces.last and packet is packets[-1]:
                _add_up(packet, segment.end_pts - begin, begin - lead, lead)
            yield packet


def _add_up(packet: Any, length: int, decoding_began: int, lead: int) -> None:
    """Decodes the last packet as late as it may be and gives it what is left of the film's length."""
    packet.dts = max(packet.dts, packet.pts - lead)
    packet.duration = max(1, length - (packet.dts - decoding_began))
