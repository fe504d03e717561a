"""Every packet of a film in the order of the file, its times on the film's timeline."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from edge_sr.video.film.timeline import Timeline, Track
from edge_sr.video.opening import CLOCK_MAY_JUMP, NO_TIMES, TIMEOUT, frame_rate, is_cover

if TYPE_CHECKING:
    import av.container

# No film means to begin later than this (seconds): its clock did not begin with it.
LATE = 10
# This many failures in a row and the rest of the file is given up.
HOPELESS = 64
# What is read again before the place where decoding has to begin: two keyframes and so many packets.
KEYFRAMES_BEFORE, PACKETS_BEFORE = 2, 16
# So many packets before the place where a stream breaks off one is marked as damaged.
MARKED_BEFORE = 2
MOST_WAITING_BYTES = 256 << 20


class FilmPackets:
    """Reads an opened film once from its beginning. All times are in seconds of the film's timeline.

    ``origin`` has been taken off every time; ``begins`` is where the film begins then. ``warn`` is told of damage.
    """

    def __init__(
        self, container: av.container.InputContainer, warn: Callable[[str], None] = lambda text: None
    ):
        self._container = container
        self._warn = warn
        start = Fraction(container.start_time or 0, 1_000_000)
        self._jumps = bool(container.format.flags & CLOCK_MAY_JUMP)
        self.origin = start if self._jumps or start > LATE else Fraction(0)
        self.begins = start - self.origin
        self._streams = list(container.streams)
        self._timeline = self._new_timeline()
        self._ends: dict[int, int] = {}
        self._doubtful: int | None = None

    @property
    def ends(self) -> dict[int, Fraction]:
        """When each track read so far ends."""
        return {
            index: end * Fraction(self._streams[index].time_base or 1) for index, end in self._ends.items()
        }

    @property
    def has_times(self) -> bool:
        """Whether the file has times at all: of a raw stream FFmpeg only counts them up."""
        return not self._container.format.flags & NO_TIMES

    @property
    def knows_its_end(self) -> bool:
        """Whether what the headers say of the film's length can be held against it."""
        return not self._jumps

    @property
    def can_seek(self) -> bool:
        """Whether a place in time is one place in the file."""
        return not self._jumps and self.has_times

    def __iter__(self) -> Iterator[Any]:
        """All packets; those without data, which end a track, have no times."""
        for packet in self._demuxed():
            if packet.stream_index < len(self._streams):
                if packet.size:
                    self._place(packet)
                    self._look_for_damage(packet)
                yield packet
        self._tell_of_damage()

    def seek(self, time: Fraction, stream: Any) -> bool:
        """Goes on from a keyframe before ``time``, where the film can tell where that is; else False."""
        import av

        if not self.can_seek or time <= self.begins:
            return False
        try:
            target = int((time + self.origin) / Fraction(stream.time_base))
            self._container.seek(target, stream=stream, backward=True)
        except (av.error.FFmpegError, OverflowError):
            return False
        self._timeline = self._new_timeline()
        return True

    def _new_timeline(self) -> Timeline:
        tracks, edits = [_track(stream) for stream in self._streams], "mov" in self._container.format.name
        return Timeline(tracks, self.origin, jumps=self._jumps, edits=edits)

    def _place(self, packet: Any) -> None:
        index = packet.stream_index
        if packet.is_discard:
            # What an edit list cuts away lies wherever it lay before.
            packet.pts, packet.dts = (self._timeline.beside(index, time) for time in (packet.pts, packet.dts))
            return
        packet.pts, packet.dts = self._timeline.place(index, packet.pts, packet.dts, packet.duration or 0)
        time = presentation(packet)
        if time is not None:
            end = time + (packet.duration or 0)
            self._ends[index] = max(self._ends.get(index, end), end)

    def _look_for_damage(self, packet: Any) -> None:
        """FFmpeg marks a packet where a stream breaks off. Where another recording begins right behind it, that is no
        damage: what is missing of its last picture the decoder tells."""
        if packet.stream.type != "video" or is_cover(packet.stream):
            return
        if self._doubtful is not None:
            self._doubtful += 1
            if self._timeline.has_new_clock(packet.stream_index):
                self._doubtful = None
            elif self._doubtful > MARKED_BEFORE:
                self._tell_of_damage()
        if packet.is_corrupt and self._doubtful is None:
            self._doubtful = 0

    def _tell_of_damage(self) -> None:
        if self._doubtful is not None:
            self._doubtful = None
            self._warn("the file is damaged: parts of frames are missing")

    def _demuxed(self) -> Iterator[Any]:
        """Every packet that can be read; damage in the container is skipped."""
        import av

        failures = 0
        while failures < HOPELESS:
            try:
                for packet in self._container.demux():
                    failures = 0
                    yield packet
                return
            except IndexError:
                # At the end PyAV flushes every stream, and does not know those that turned up on the way.
                return
            except av.error.ExitError:
                self._warn(f"the film breaks off: nothing more has come for {TIMEOUT[1]:.0f} seconds")
                return
            except av.error.FFmpegError as error:
                failures += 1
                self._warn(f"the file is damaged: {error.strerror}")


def _track(stream: Any) -> Track:
    unit = Fraction(stream.time_base or 1)
    if stream.type == "video":
        rate = frame_rate(stream) or Fraction(25)
        return Track(unit, 1 / rate, dense=not is_cover(stream), is_picture=True)
    return Track(unit, dense=stream.type == "audio")


def packets_for(packets: Iterable[Any], time: Fraction) -> Iterator[Any]:
    """The packets of one track from a keyframe on that lets the frame at ``time`` be decoded.

    Two keyframes before it rather than one: decoding from some of them gives whole frames only after a while.
    """
    waiting: deque[list[Any]] = deque([[]])
    rest = iter(packets)
    count = size = 0
    for packet in rest:
        if packet.is_keyframe:
            waiting.append([])
        waiting[-1].append(packet)
        count, size = count + 1, size + packet.size
        while len(waiting) > KEYFRAMES_BEFORE and count - len(waiting[0]) >= PACKETS_BEFORE:
            gone = waiting.popleft()
            count, size = count - len(gone), size - sum(one.size for one in gone)
        ticks = presentation(packet)
        if ticks is None or ticks * packet.time_base > time or size > MOST_WAITING_BYTES:
            break
    for group in waiting:
        yield from group
    yield from rest


def presentation(packet: Any) -> int | None:
    """When a packet is shown, in its own unit: its decoding time where it says no other."""
    ticks: int | None = packet.dts if packet.pts is None else packet.pts
    return ticks


def shown(packet: Any) -> Fraction:
    """When a packet is shown; the very beginning where it does not say."""
    time = presentation(packet)
    return Fraction(-(10**9)) if time is None else Fraction(time * packet.time_base)
