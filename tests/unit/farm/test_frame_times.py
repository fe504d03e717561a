"""When frames are shown, told from packets: the same times as decoding gives."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from support.films import Making, make_film

from edge_sr.farm.films.frame_times import decoded_times, packet_times
from edge_sr.video.film.film import Excerpt

EXCERPTS = [
    Excerpt(),
    Excerpt(Fraction(1, 5)),
    Excerpt(Fraction(7, 30)),
    Excerpt(Fraction(9, 10), Fraction(3, 10)),
    Excerpt(Fraction(0), Fraction(1, 2)),
    Excerpt(Fraction(3), Fraction(1)),
]
MAKINGS = [
    ("film.mkv", Making(frames=120, options={"g": "11", "bf": "3"})),
    ("film.mp4", Making(frames=120, options={"g": "30", "bf": "2"})),
    ("film.ts", Making(frames=120, time_base=Fraction(1, 90000))),
    ("film.avi", Making(frames=120, codec="mpeg4")),
    ("uneven.mkv", Making(times=[n * 40 + n % 3 * 5 for n in range(120)], time_base=Fraction(1, 1000))),
]


@pytest.mark.parametrize("excerpt", EXCERPTS)
@pytest.mark.parametrize(("name", "making"), MAKINGS, ids=[name for name, _ in MAKINGS])
def test_packets_tell_what_decoding_finds(
    tmp_path: Path, name: str, making: Making, excerpt: Excerpt
) -> None:
    film = str(make_film(tmp_path / name, making))
    told = packet_times(film, excerpt)
    assert told is not None
    assert list(told) == list(decoded_times(film, excerpt))


def test_a_raw_stream_has_no_times(tmp_path: Path) -> None:
    film = str(make_film(tmp_path / "film.h264", Making(frames=10)))
    assert packet_times(film, Excerpt()) is None
    assert len(list(decoded_times(film, Excerpt()))) == 10
