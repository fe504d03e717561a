"""Films whose packets do not say when they are shown: H.264 and packed MPEG-4 in AVI, raw MPEG-2 with pulldown."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from support.films import Making, make_film
from support.live_sources import items_of

from edge_sr.video.film.film import Excerpt, Film
from edge_sr.video.live.arrival import Arrival

TICK = Fraction(1, 25)
WHOLE = Excerpt()
REORDERED = {"bf": "3", "x264-params": "b-pyramid=normal:b-adapt=0"}


def shown(path: Path, excerpt: Excerpt = WHOLE) -> list[tuple[Fraction, Fraction]]:
    """When each frame begins and how long it lasts, in seconds."""
    with Film(str(path), excerpt) as film:
        found = [
            (timed.pts * film.info.time_base, timed.duration * film.info.time_base) for timed in film.frames()
        ]
        assert film.warnings == []
    return found


@pytest.fixture(scope="module")
def avi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(
        tmp_path_factory.mktemp("avi") / "reordered.avi",
        Making(frames=20, codec="libx264", options=REORDERED),
    )


def test_h264_in_avi_keeps_its_pace(avi: Path) -> None:
    times = shown(avi)
    assert len(times) == 20
    assert {later - earlier for (earlier, _), (later, _) in itertools.pairwise(times)} == {TICK}
    assert {length for _, length in times} == {TICK}


def test_an_excerpt_of_h264_in_avi_begins_at_zero(avi: Path) -> None:
    assert shown(avi, Excerpt(10 * TICK, 4 * TICK)) == [(number * TICK, TICK) for number in range(4)]


def test_frames_of_h264_in_avi_are_played_one_after_another(avi: Path) -> None:
    seconds = [item.seconds for item in items_of(avi) if isinstance(item, Arrival)]
    assert len(seconds) == 20
    told = [second for second in seconds if second is not None]
    assert told == sorted(set(told))


def packed(source: Path, target: Path) -> Path:
    """The MPEG-4 film as DivX wrote it: each B frame lies in the packet of the frame that it waits for, and an empty
    frame where it was."""
    with av.open(str(source)) as film, av.open(str(target), "w") as file:
        stream: Any = file.add_stream_from_template(film.streams.video[0])
        found = [bytes(packet) for packet in film.demux(video=0) if packet.size]
        first = found[0].index(b"\0\0\1\xb6")
        found[0] = found[0][:first] + b"\0\0\1\xb2DivX503b1393p" + found[0][first:]
        for number in range(1, len(found) - 1, 2):
            found[number : number + 2] = [found[number] + found[number + 1], b"\0\0\1\xb6\x51\0\x7f"]
        for number, data in enumerate(found):
            packet: Any = av.Packet(data)
            packet.stream, packet.time_base, packet.duration = stream, TICK, 1
            packet.pts = packet.dts = number
            file.mux(packet)
    return target


def test_packed_mpeg4_in_avi_keeps_its_pace(tmp_path: Path) -> None:
    making = Making(frames=11, codec="mpeg4", options={"bf": "1", "b_strategy": "0", "g": "100"})
    times = shown(packed(make_film(tmp_path / "plain.avi", making), tmp_path / "packed.avi"))
    assert times == [(number * TICK, TICK) for number in range(1, 12)]


def with_pulldown(data: bytes) -> bytes:
    """MPEG-2 of frames without B frames, of which every other one shows its first field again."""
    film, place, number = bytearray(data), 0, 0
    sequence = film.index(b"\0\0\1\xb5")
    film[sequence + 5] &= ~0x08  # not a progressive sequence
    while (place := film.find(b"\0\0\1\0", place)) >= 0:
        place = film.index(b"\0\0\1\xb5", place)
        top_first, repeats = ((1, 1), (0, 0), (0, 1), (1, 0))[number % 4]
        film[place + 7] = film[place + 7] & ~0x82 | top_first << 7 | repeats << 1
        number += 1
    return bytes(film)


def test_a_raw_film_with_pulldown_lasts_as_long_as_it_is_shown(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.m2v", Making(frames=8, codec="mpeg2video"))
    path.write_bytes(with_pulldown(path.read_bytes()))
    field = Fraction(1, 50)
    assert [length for _, length in shown(path)] == [3 * field, 2 * field] * 4
