"""The packets of finished pieces as one stream, its times those of the film."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from edge_sr.video.encode.segments import Segment


def read_packets(segment: Segment, time_base: Fraction) -> Iterator[Any]:
    """The packets of a piece in decoding order, with the film's own presentation times."""
    import av

    with av.open(str(segment.path)) as file:
        packets: Iterator[Any] = file.demux(video=0)
        for packet in packets:
            if packet.size:
                packet.duration = round((packet.duration or 0) * packet.time_base / time_base)
                packet.pts = round(packet.pts * packet.time_base / time_base) + segment.first_pts
                packet.time_base = time_base
                yield packet


def reorder_delay(segment: Segment) -> int:
    """By how many frames decoding runs ahead of display: the packets decoded before time 0."""
    import av

    delay = 0
    with av.open(str(segment.path)) as file:
        for packet in file.demux(video=0):
            if packet.dts is None or packet.dts >= 0:
                return delay
            delay += 1
    return delay


def segments_end(segments: list[Segment], time_base: Fraction) -> int:
    """When the last frame of the last piece has been shown."""
    return max((packet.pts + packet.duration for packet in read_packets(segments[-1], time_base)), default=0)


def joined_packets(segments: list[Segment], time_base: Fraction) -> Iterator[Any]:
    """The packets of all pieces as one stream, decoding times recomputed to rise throughout.

    Packet ``i`` decodes when frame ``i - delay`` is shown: never later than its own time, since no packet
    comes more than ``delay`` places early.
    """
    delay = max((reorder_delay(segment) for segment in segments), default=0)
    shown: list[int] = []
    for segment in segments:
        packets = list(read_packets(segment, time_base))
        times = sorted(packet.pts for packet in packets)
        if not shown:
            tick = max(1, packets[0].duration or 1)
            shown = [times[0] - tick * back for back in range(delay, 0, -1)]
        shown = shown[len(shown) - delay :] + times
        for packet, dts in zip(packets, shown, strict=False):
            packet.dts = dts
            yield packet
