"""A film's clock made whole: times that rise throughout and keep their gaps, picture and sound together.

The clock of a recording may begin anywhere, and in a transport stream it restarts or jumps where recordings were
joined. Every packet of every track passes one ``Timeline`` in the order of the file. What lies on one clock is an
**epoch**: all its packets are moved by the same amount, so that tracks stay in step, and a new epoch begins where
the one before it ended.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

from edge_sr.video.timed import longest_frame

# A track that goes back by more than this is on a new clock (seconds): without decoding times, by more than that.
BACKWARD = Fraction(1, 10)
REORDERED = Fraction(1)
# Where clocks may jump: a track that runs ahead of all others by more than this is on a new clock.
FORWARD = Fraction(10)
# Tracks change to a new clock one after another, the file's order at most so far apart.
APART = Fraction(10)
# For so many packets a track may find that its clock had not changed: one packet had a wrong time.
DOUBTFUL = 8


@dataclasses.dataclass(frozen=True)
class Track:
    """A stream of the film: the unit of its times in seconds, and how long a packet lasts that does not say.

    ``dense``: its packets follow closely, as subtitles' and data's do not; those never begin an epoch.
    """

    unit: Fraction
    tick: Fraction = Fraction(1, 25)
    dense: bool = True
    is_picture: bool = False


@dataclasses.dataclass
class _Position:
    """Where a track has got to, in its own unit: its epoch and the one before, and since when; the last decoding time
    as it came and as it was given, and the end of what was given."""

    unit: Fraction
    epoch: int = 0
    before: int = 0
    packets: int = DOUBTFUL
    came: int = 0
    last: int | None = None
    end_units: int | None = None
    offset: Fraction | None = None
    shift: int = 0

    @property
    def end(self) -> Fraction | None:
        """In seconds."""
        return None if self.end_units is None else self.end_units * self.unit


@dataclasses.dataclass
class _Epoch:
    """Seconds to add to a time on this clock, and the first time seen on it."""

    offset: Fraction
    begins: Fraction


class Timeline:
    """``place`` takes each packet's times, in file order, and returns those to use.

    ``origin`` is taken off every time, in seconds. ``jumps``: the format's clock may leap ahead, as a transport
    stream's does; elsewhere such a gap is the film's own, as far as one frame may last. ``edits``: where an edit list
    goes on with another part, decoding times of the picture go back, as far as its frames wait for others.
    """

    def __init__(
        self, tracks: Sequence[Track], origin: Fraction, *, jumps: bool, edits: bool = False
    ) -> None:
        self._tracks, self._edits = tracks, edits
        self._positions = [_Position(track.unit) for track in tracks]
        self._ticks = [max(1, round(track.tick / track.unit)) for track in tracks]
        self._seconds = [max(1, int(1 / track.unit)) for track in tracks]
        self._epochs = [_Epoch(-origin, origin)]
        units = [track.unit for track in tracks if track.is_picture and track.dense]
        self._leap = FORWARD if jumps else longest_frame(min(units, default=Fraction(1)))

    def place(
        self, index: int, pts: int | None, dts: int | None, duration: int
    ) -> tuple[int | None, int | None]:
        """The presentation and decoding time of the next packet of track ``index``, in the track's unit.

        Decoding times never fall within a track, but in an edited picture; a time that is not there stays away.
        """
        raw = pts if dts is None else dts
        if raw is None:
            return None, None
        track, position = self._tracks[index], self._positions[index]
        # Nearly every packet: it follows within a second on a clock that nobody doubts.
        simple = dts is not None and position.last is not None and position.packets > DOUBTFUL
        if not (simple and 0 <= raw - position.came <= self._seconds[index] and track.dense):
            self._change_epoch(position, self._epoch_of(track, position, raw * track.unit, dts is None))
        placed = raw + self._shift(position)
        if dts is None:
            return placed, None
        if position.last is not None and not (self._edits and track.is_picture):
            placed = max(placed, position.last)
        end = placed + (duration if duration > 0 else self._ticks[index])
        position.came, position.last, position.end_units = raw, placed, max(position.end_units or end, end)
        # What was moved to stay in order is moved as a whole.
        return (None if pts is None else pts + placed - raw), placed

    def beside(self, index: int, time: int | None) -> int | None:
        """The time of a packet that is not shown, on the clock of those that are."""
        return None if time is None else time + self._shift(self._positions[index])

    def has_new_clock(self, index: int) -> bool:
        """Whether the track's latest packet was the first on another clock than those before it."""
        position = self._positions[index]
        return position.epoch > 0 and position.packets == 1

    def _shift(self, position: _Position) -> int:
        """What the track's epoch adds to its times, in the track's unit."""
        offset = self._epochs[position.epoch].offset
        if offset is not position.offset:
            position.offset, position.shift = offset, round(offset / position.unit)
        return position.shift

    def _change_epoch(self, position: _Position, epoch: int) -> None:
        if epoch != position.epoch:
            position.before, position.epoch, position.packets = position.epoch, epoch, 0
        position.packets += 1

    def _epoch_of(self, track: Track, position: _Position, time: Fraction, reordered: bool) -> int:
        if not track.dense or position.end is None:
            return self._nearest(time)
        if position.packets <= DOUBTFUL and self._fits_better(position, time):
            return position.before
        if self._goes_on(track, position, time, REORDERED if reordered or self._edits else BACKWARD):
            return position.epoch
        newest = len(self._epochs) - 1
        if position.epoch < newest and abs(time - self._epochs[newest].begins) <= APART:
            self._make_room(track, newest, position.end - time)
            return newest
        self._epochs.append(_Epoch(position.end - time, time))
        return newest + 1

    def _goes_on(self, track: Track, position: _Position, time: Fraction, tolerance: Fraction) -> bool:
        """Whether the time follows on the track's own clock."""
        assert position.end is not None
        placed = time + self._epochs[position.epoch].offset
        last = position.end if position.last is None else position.last * track.unit
        if placed < last - tolerance:
            return False
        furthest = max(other.end for other in self._positions if other.end is not None)
        return placed <= furthest + self._leap

    def _fits_better(self, position: _Position, time: Fraction) -> bool:
        """Whether the time follows on the clock before."""
        assert position.end is not None
        here, before = (
            abs(time + self._epochs[epoch].offset - position.end)
            for epoch in (position.epoch, position.before)
        )
        return before < min(here, BACKWARD)

    def _make_room(self, track: Track, epoch: int, needed: Fraction) -> None:
        """Moves an epoch that has just begun later, where this track had not ended; sound may overlap a little."""
        overlap = needed - self._epochs[epoch].offset
        if overlap > (0 if track.is_picture else BACKWARD):
            self._epochs[epoch].offset = needed

    def _nearest(self, time: Fraction) -> int:
        """The epoch that puts ``time`` closest to where the film has got to, the newest of equals."""
        ends = [position.end for position in self._positions if position.end is not None]
        newest_first = range(len(self._epochs) - 1, -1, -1)
        if not ends:
            return newest_first[0]
        return min(newest_first, key=lambda epoch: abs(time + self._epochs[epoch].offset - max(ends)))
