"""Subtitles that are words, from one container's form to another's: no word is lost, and no markup becomes one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from support.films import Making, make_film, packets
from support.upscaling import run

from edge_sr.video.mux.words import packed_words, words_of

LESS = "if a < b and c > d & e"


@pytest.mark.parametrize(
    ("codec", "data", "words"),
    [
        ("subrip", LESS, LESS),
        ("subrip", "<i>Well</i>, <font color='#fff'>a<b></font> <B>so</B> <unknown>", "Well, a so <unknown>"),
        ("subrip", "x <b and c> y <3 & <3", "x <b and c> y <3 & <3"),
        (
            "webvtt",
            "<v.loud Ann>Hi <c.red>you</c></v> <00:01.500>now <lang en>&lt;b&gt; &amp;amp;</lang>",
            "Hi you now <b> &amp;",
        ),
        ("subrip", "{\\an8}Up {here} {\\fad(1,2)}there", "Up {here} there"),
        ("text", "<b>", "<b>"),
        ("ass", "0,0,Default,,0,0,0,,{\\i1}a < b{\\i0}\\Nc > d", "a < b\nc > d"),
        ("ass", "0,0,Sign,,0,0,0,,{\\pos(1,2)\\p1}m 0 0 l 9 9{\\p0} a {b", " a {b"),
        ("ass", "0,0,Sign,,0,0,0,,{\\p2}m 0 0{\\c&H0&} l 9 9", ""),
    ],
)
def test_tags_go_and_words_stay(codec: str, data: str, words: str) -> None:
    assert words_of(codec, data.encode()) == words


def test_quicktime_text_has_no_tags() -> None:
    assert words_of("mov_text", packed_words("mov_text", "<i>" + LESS)) == "<i>" + LESS


def test_webvtt_says_what_is_no_tag_in_entities() -> None:
    assert packed_words("webvtt", LESS + " <b>") == b"if a &lt; b and c &gt; d &amp; e &lt;b&gt;"
    assert packed_words("subrip", LESS) == LESS.encode()


# When each begins and ends, in tenths of a second, and its words: at once from the start, one within another, in turns.
LINES = [(2, 10, "a"), (2, 15, "b"), (16, 19, "c"), (20, 30, "d"), (22, 23, "e")]
LINES += [(40, 43, "f"), (41, 44, "g"), (42, 45, "f"), (45, 46, "h")]
SHOWN = [(2, 10, "a\nb"), (10, 15, "b"), (16, 19, "c"), (20, 22, "d"), (22, 23, "d\ne"), (23, 30, "d")]
SHOWN += [(40, 41, "f"), (41, 42, "f\ng"), (42, 43, "f\ng"), (43, 44, "g\nf"), (44, 45, "f"), (45, 46, "h")]


@pytest.mark.parametrize("name", ["out.mp4", "out.mov"])
def test_of_lines_that_are_shown_at_once_none_is_lost(tmp_path: Path, name: str) -> None:
    lines = tuple((words, begins * 100, ends * 100) for begins, ends, words in LINES)
    making = Making(frames=120, audio=("eng",), subtitles=lines)
    run(make_film(tmp_path / "in.mkv", making), tmp_path / name)
    found = []
    with av.open(str(tmp_path / name)) as file:
        unit = Fraction(file.streams.subtitles[0].time_base or 1)
        for packet in file.demux(subtitles=0):
            # The muxer fills gaps with empty ones, and one that begins with another is put a moment behind it.
            if packet.size > 2 and packet.duration * unit > Fraction(1, 100):
                begins, lasts = (round(10 * (time or 0) * unit) for time in (packet.pts, packet.duration))
                found.append((begins, begins + lasts, words_of("mov_text", bytes(packet))))
    assert found == SHOWN


@pytest.mark.parametrize("steps", [("1.mp4", "2.mkv"), ("1.webm", "2.mp4", "3.mkv")])
def test_words_survive_the_way_through_containers(tmp_path: Path, steps: tuple[str, ...]) -> None:
    source = make_film(tmp_path / "in.mkv", Making(frames=3, subtitles=((f"<i>{LESS}</i>", 0, 100),)))
    for step in steps:
        run(source, tmp_path / step)
        source = tmp_path / step
    assert [words for _, words in packets(source, "subtitle")[0]] == [LESS.encode()]
