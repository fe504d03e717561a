"""A film's clock made whole, whatever the recording's own clocks did."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edge_sr.video.film.timeline import BACKWARD, Timeline, Track

UNIT = Fraction(1, 90000)
TICK, SOUND_TICK = 3600, 1920  # 25 frames/s, sound packets of 1,024 samples at 48 kHz
PICTURE = Track(UNIT, Fraction(1, 25), is_picture=True)
SOUND = Track(UNIT, Fraction(SOUND_TICK, 90000))
WORDS = Track(UNIT, dense=False)
DAY = 24 * 3600 * 90000

# Any two lie further apart than a gap that could be the film's own.
CLOCKS = range(0, 2**33, 100 * 90000)

Packet = tuple[int, int, int]  # track, time, duration


def part(clock: int, frames: int, late: int, ahead: int) -> list[Packet]:
    """A recording on one clock: picture and sound of the same length, as a muxer interleaves them.

    The sound begins ``late`` after the picture, and packets of it lie ``ahead`` in the file.
    """
    picture = [(0, clock + index * TICK, TICK) for index in range(frames)]
    count = (frames * TICK - late) // SOUND_TICK
    sound = [(1, clock + late + index * SOUND_TICK, SOUND_TICK) for index in range(max(1, count))]
    return sorted(picture + sound, key=lambda packet: packet[1] - (ahead if packet[0] == 1 else 0))


def placed(packets: list[Packet], timeline: Timeline) -> list[tuple[int, int]]:
    return [(track, timeline.place(track, time, time, length)[1] or 0) for track, time, length in packets]


@given(
    some.lists(
        some.tuples(some.integers(0, 2), some.integers(-DAY, DAY), some.integers(0, 90000)), max_size=60
    ),
    some.booleans(),
)
def test_decoding_times_never_fall_whatever_comes(packets: list[Packet], jumps: bool) -> None:
    found = placed(packets, Timeline([PICTURE, SOUND, WORDS], Fraction(0), jumps=jumps))
    for track in range(3):
        times = [time for index, time in found if index == track]
        assert all(earlier <= later for earlier, later in itertools.pairwise(times))


@given(
    some.lists(some.integers(1, 9 * 90000), min_size=1, max_size=60),
    some.lists(some.integers(1, 5000), min_size=1, max_size=60),
    some.integers(0, DAY),
    some.booleans(),
)
def test_a_clock_that_runs_is_only_moved_to_its_origin(
    steps: list[int], sound: list[int], begin: int, jumps: bool
) -> None:
    """Frames of any length: a gap is the film's own."""
    packets = [(0, begin + time, 0) for time in itertools.accumulate(steps, initial=0)]
    packets += [(1, begin + time, 0) for time in itertools.accumulate(sound, initial=0)]
    packets.sort(key=lambda packet: packet[1])
    found = placed(packets, Timeline([PICTURE, SOUND], begin * UNIT, jumps=jumps))
    assert found == [(track, time - begin) for track, time, _ in packets]


@given(
    some.lists(
        some.tuples(some.sampled_from(CLOCKS), some.integers(12, 60), some.integers(0, 9000)),
        min_size=1,
        max_size=5,
    ),
    some.integers(0, 45000),
)
def test_recordings_that_were_joined_go_on_in_step(parts: list[tuple[int, int, int]], ahead: int) -> None:
    """Every frame follows the one before it, and the sound keeps its distance to the picture of its part."""
    recordings = [part(clock, frames, late, ahead) for clock, frames, late in parts]
    timeline = Timeline([PICTURE, SOUND], Fraction(parts[0][0], 90000), jumps=True)
    found = iter(placed(list(itertools.chain(*recordings)), timeline))
    pictures: list[int] = []
    for recording, (clock, _, late) in zip(recordings, parts, strict=True):
        times = list(itertools.islice(found, len(recording)))
        pictures += [time for track, time in times if track == 0]
        first = next(time for track, time in times if track == 0)
        moves = [
            time - (raw - clock + first)
            for (track, time), (_, raw, _) in zip(times, recording, strict=True)
            if track
        ]
        assert abs(moves[-1]) * UNIT <= BACKWARD + late * UNIT
    steps = [later - earlier for earlier, later in itertools.pairwise(pictures)]
    assert all(TICK <= step <= TICK + 90000 // 2 for step in steps)
    assert sum(step != TICK for step in steps) <= 2 * len(parts)


def test_two_recordings_on_the_same_clock() -> None:
    once = part(133200, 30, 0, 0)
    timeline = Timeline([PICTURE, SOUND], 133200 * UNIT, jumps=True)
    pictures = [time for track, time in placed([*once, *once], timeline) if track == 0]
    assert pictures == [index * TICK for index in range(60)]


def test_a_wrapped_clock_runs_on() -> None:
    wrap = 2**33
    packets = [(track, time % wrap, length) for track, time, length in part(wrap - 20 * TICK, 50, 0, 0)]
    timeline = Timeline([PICTURE, SOUND], Fraction(wrap - 20 * TICK, 90000), jumps=True)
    pictures = [time for track, time in placed(packets, timeline) if track == 0]
    assert pictures == [index * TICK for index in range(50)]


def test_one_packet_with_a_wrong_time_moves_nothing_else() -> None:
    packets = part(0, 50, 0, 0)
    place = next(index for index, packet in enumerate(packets) if packet[:2] == (0, 30 * TICK))
    packets[place] = (0, 5 * TICK, TICK)
    found = placed(packets, Timeline([PICTURE, SOUND], Fraction(0), jumps=True))
    pictures = [time for track, time in found if track == 0]
    assert pictures[:30] == [index * TICK for index in range(30)]
    assert pictures[32:] == [index * TICK for index in range(32, 50)]


def test_a_film_format_keeps_its_long_gaps() -> None:
    hours = 5 * 3600 * 90000
    packets = [(0, 0, TICK), (0, hours, TICK)]
    assert placed(packets, Timeline([PICTURE], Fraction(0), jumps=False)) == [(0, 0), (0, hours)]
    assert placed(packets, Timeline([PICTURE], Fraction(0), jumps=True)) == [(0, 0), (0, TICK)]


@pytest.mark.parametrize(("unit", "hours"), [(Fraction(1, 1000), 25), (UNIT, 6)])
def test_no_film_leaps_by_days_nor_by_more_than_a_frame_can_last(unit: Fraction, hours: int) -> None:
    rate = int(1 / unit)
    picture, sound = Track(unit, Fraction(1, 25), is_picture=True), Track(unit, Fraction(1, 25))
    times = [index * rate // 25 + (hours * 3600 * rate if index > 2 else 0) for index in range(6)]
    packets = [(track, time, rate // 25) for time in times for track in (0, 1)]
    found = placed(packets, Timeline([picture, sound], Fraction(0), jumps=False))
    assert found == [(track, index * rate // 25) for index in range(6) for track in (0, 1)]


def test_frames_in_decoding_order_without_decoding_times() -> None:
    timeline = Timeline([PICTURE], Fraction(0), jumps=False)
    order = [0, 4, 2, 1, 3, 8, 6, 5, 7]
    assert [timeline.place(0, index * TICK, None, TICK)[0] for index in order] == [
        index * TICK for index in order
    ]


def test_decoding_times_that_are_only_known_after_a_while() -> None:
    timeline = Timeline([PICTURE], Fraction(0), jumps=False)
    packets = [(0, None), (4, None), (2, 0), (1, 1), (3, 2), (8, 3), (6, 4), (5, 5), (7, 6)]
    for pts, dts in packets:
        times = (pts * TICK, None if dts is None else dts * TICK)
        assert timeline.place(0, *times, TICK) == times


def test_words_follow_the_clock_of_the_picture() -> None:
    once = [*part(0, 50, 0, 0), (2, 45 * TICK, TICK)]
    found = placed([*once, *once], Timeline([PICTURE, SOUND, WORDS], Fraction(0), jumps=True))
    assert [time for track, time in found if track == 2] == [45 * TICK, 95 * TICK]
