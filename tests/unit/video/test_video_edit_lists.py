"""Films whose edit list takes several parts of what was recorded, as QuickTime's and telephones' editors write them."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from support.films import Making, frame_times, make_film, packets
from support.live_sources import items_of
from support.upscaling import run

from edge_sr.video.film.film import Excerpt, Film
from edge_sr.video.live.arrival import Sound

PARENTS = (b"moov", b"trak", b"edts")
TICK = Fraction(1, 25)
# Seconds of the recording.
PARTS = ((Fraction(0), Fraction(1, 2)), (Fraction(1), Fraction(8, 5)))


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        yield data[place + 4 : place + 8], data[place + 8 : place + size]
        place += size


def with_edits(data: bytes, lists: Iterator[bytes]) -> bytes:
    """The file with other edit lists, one for each track; what they point at lies before them, so nothing moves."""
    found = b""
    for kind, body in boxes(data):
        changed = with_edits(body, lists) if kind in PARENTS else next(lists) if kind == b"elst" else body
        found += struct.pack(">I", len(changed) + 8) + kind + changed
    return found


def edit_list(begins: int, unit: Fraction) -> bytes:
    """PARTS of a track whose recording begins at ``begins``; the film counts milliseconds."""
    entries = [
        struct.pack(">IiI", round((end - begin) * 1000), begins + round(begin / unit), 1 << 16)
        for begin, end in PARTS
    ]
    return struct.pack(">II", 0, len(entries)) + b"".join(entries)


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("edited") / "edited.mp4"
    reordered = {"bf": "3", "g": "25", "x264-params": "b-pyramid=normal:b-adapt=0"}
    make_film(path, Making(frames=50, options=reordered, audio=("eng",)))
    lists = []
    with av.open(str(path), options={"ignore_editlist": "1"}) as file:
        shown: list[list[int]] = [[] for _ in file.streams]
        for packet in file.demux():
            if packet.pts is not None:
                shown[packet.stream_index].append(packet.pts)
        for stream in file.streams:
            # AAC begins with a packet that its decoder needs.
            begins = min(shown[stream.index]) if stream.type == "video" else 1024
            lists.append(edit_list(begins, Fraction(stream.time_base or 1)))
    path.write_bytes(with_edits(path.read_bytes(), iter(lists)))
    return path


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_parts_follow_each_other_without_a_gap(edited: Path, tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    run(edited, output)
    times = frame_times(output)
    assert len(times) == 28
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) == TICK
    sound = [time for time, _ in packets(output, "audio")[0]]
    assert times[-1] < Fraction(11, 10)
    assert Fraction(1) < sound[-1] < Fraction(11, 10)


def test_an_excerpt_is_of_the_edited_film(edited: Path) -> None:
    with Film(str(edited), Excerpt(Fraction(7, 10), Fraction(1, 5))) as film:
        times = [timed.pts * film.info.time_base for timed in film.frames()]
    with Film(str(edited)) as film:
        whole = [timed.pts * film.info.time_base for timed in film.frames()]
    assert times[1:] == [time - Fraction(7, 10) for time in whole if Fraction(7, 10) < time < Fraction(9, 10)]


def test_sound_that_is_cut_away_is_not_played(edited: Path) -> None:
    times = [item.seconds for item in items_of(edited) if isinstance(item, Sound)]
    assert times == sorted(times)
    assert Fraction(1) < times[-1] < Fraction(11, 10)
