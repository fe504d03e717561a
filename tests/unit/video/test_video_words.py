"""Subtitles that are words, from one container's form to another's: no word is lost, and no markup becomes one."""

from __future__ import annotations

from pathlib import Path

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
        ("text", "<b>", "<b>"),
        ("ass", "0,0,Default,,0,0,0,,{\\i1}a < b{\\i0}\\Nc > d", "a < b\nc > d"),
    ],
)
def test_tags_go_and_words_stay(codec: str, data: str, words: str) -> None:
    assert words_of(codec, data.encode()) == words


def test_quicktime_text_has_no_tags() -> None:
    assert words_of("mov_text", packed_words("mov_text", "<i>" + LESS)) == "<i>" + LESS


def test_webvtt_says_what_is_no_tag_in_entities() -> None:
    assert packed_words("webvtt", LESS + " <b>") == b"if a &lt; b and c &gt; d &amp; e &lt;b&gt;"
    assert packed_words("subrip", LESS) == LESS.encode()


@pytest.mark.parametrize("steps", [("1.mp4", "2.mkv"), ("1.webm", "2.mp4", "3.mkv")])
def test_words_survive_the_way_through_containers(tmp_path: Path, steps: tuple[str, ...]) -> None:
    source = make_film(tmp_path / "in.mkv", Making(frames=3, subtitles=((f"<i>{LESS}</i>", 0, 100),)))
    for step in steps:
        run(source, tmp_path / step)
        source = tmp_path / step
    assert [words for _, words in packets(source, "subtitle")[0]] == [LESS.encode()]
