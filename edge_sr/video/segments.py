"""An encoded film in pieces of a fixed number of frames, each a file that is whole or absent.

Every piece comes from an encoder of its own, so a piece depends on nothing but its frames: a run that was cut
off and gone on with makes the same pieces as one that was not.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sr.video.codecs import Encoding, configure
from edge_sr.video.colour import Colour
from edge_sr.video.opening import writing

if TYPE_CHECKING:
    import av

MUXERS = {"mp4": "mp4", "mov": "mov", "nut": "nut"}
_NAME = re.compile(r"^(\d{6})@(-?\d+)\.(mp4|mov|nut)$")
# A piece holds about this many output pixels, within a limit either way.
PIXELS = 1 << 28


def frames_per_segment(size: tuple[int, int]) -> int:
    """How many frames a piece holds: 120 up to 1080p, fewer where each takes long."""
    return min(120, max(16, PIXELS // (size[0] * size[1])))


@dataclasses.dataclass(frozen=True)
class Segment:
    """A finished piece. Its file begins at time 0; ``first_pts`` is that of its first frame in the film."""

    path: Path
    index: int
    first_pts: int


@dataclasses.dataclass(frozen=True)
class TimedFrame:
    """A frame to encode: its number in the film and its time in units of the film's time base."""

    index: int
    pts: int
    duration: int
    frame: av.VideoFrame


def finished_segments(folder: Path) -> list[Segment]:
    """The pieces from the first on without a gap, in order."""
    found = {}
    for path in folder.iterdir():
        match = _NAME.match(path.name)
        if match:
            found[int(match[1])] = Segment(path, int(match[1]), int(match[2]))
    pieces: list[Segment] = []
    while len(pieces) in found:
        pieces.append(found[len(pieces)])
    return pieces


class SegmentWriter:
    """Encodes frames into pieces of ``length`` frames in ``folder``.

    ``finish`` completes the last piece, ``suspend`` closes an unfinished one under a name that is no piece's,
    ``abandon`` drops it. Raises ``DiskFullError`` or ``ResourceError`` when a file cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        encoding: Encoding,
        *,
        length: int,
        time_base: Fraction,
        aspect: Fraction,
        colour: Colour,
    ) -> None:
        self._folder = folder
        self._encoding = encoding
        self._length = length
        self._time_base = time_base
        self._aspect = aspect
        self._colour = colour
        self._piece: _Piece | None = None

    def write(self, frame: TimedFrame) -> None:
        """Encodes one frame; completes the piece when it is the piece's last."""
        with writing(str(self._folder)):
            if self._piece is None:
                self._piece = self._open(frame)
            self._piece.write(frame)
            if (frame.index + 1) % self._length == 0:
                self._complete()

    def finish(self) -> None:
        with writing(str(self._folder)):
            self._complete()

    def suspend(self) -> Segment | None:
        """Closes the piece as it is; playable, but not among ``finished_segments``."""
        if self._piece is None:
            return None
        piece, self._piece = self._piece, None
        with writing(str(self._folder)):
            piece.close()
        return Segment(piece.path, piece.index, piece.first_pts)

    def abandon(self) -> None:
        """Drops the piece; errors of closing it are of no interest any more."""
        if self._piece is not None:
            piece, self._piece = self._piece, None
            piece.discard()

    def _open(self, frame: TimedFrame) -> _Piece:
        path = self._folder / f"unfinished.{self._encoding.codec.piece}"
        return _Piece(path, frame, self._encoding, self._time_base, self._aspect, self._colour)

    def _complete(self) -> None:
        if self._piece is None:
            return
        piece, self._piece = self._piece, None
        piece.close()
        number = piece.index // self._length
        os.replace(piece.path, self._folder / f"{number:06d}@{piece.first_pts}{piece.path.suffix}")


class _Piece:
    """One file being encoded."""

    def __init__(
        self,
        path: Path,
        first: TimedFrame,
        encoding: Encoding,
        time_base: Fraction,
        aspect: Fraction,
        colour: Colour,
    ) -> None:
        import av

        self.path = path
        self.index = first.index
        self.first_pts = first.pts
        self._time_base = time_base
        self._times: list[tuple[int, int]] = []
        self._file: Any = av.open(str(path), "w", format=MUXERS[path.suffix[1:]])
        self._stream: Any = self._file.add_stream(encoding.codec.encoder, rate=encoding.rate)
        configure(self._stream.codec_context, encoding, aspect, colour)
        self._stream.time_base = time_base

    def write(self, frame: TimedFrame) -> None:
        frame.frame.pts = len(self._times)
        frame.frame.time_base = self._stream.codec_context.time_base
        self._times.append((frame.pts - self.first_pts, frame.duration))
        self._mux(self._stream.encode(frame.frame))

    def close(self) -> None:
        self._mux(self._stream.encode(None))
        self._file.close()
        _to_disk(self.path)

    def discard(self) -> None:
        import contextlib

        with contextlib.suppress(Exception):
            self._file.close()
        self.path.unlink(missing_ok=True)

    def _mux(self, packets: list[Any]) -> None:
        """Puts the true times on packets whose times are frame numbers."""
        for packet in packets:
            pts, packet.duration = self._times[packet.pts]
            dts = packet.pts if packet.dts is None else packet.dts
            packet.dts = dts * self._times[0][1] if dts < 0 else self._times[dts][0]
            packet.pts = pts
            packet.time_base = self._time_base
            self._file.mux(packet)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
        for packet, dts in zip(packets, shown):
            packet.dts = dts
            yield packet
