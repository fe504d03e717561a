"""What is said of a track, its language, title and marks, arrives or is named as lost."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition
from support.films import Making, make_film

from edge_sr.errors import MediaError
from edge_sr.upscale.run.report import Report
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale
from edge_sr.video.film.tags import suited_language

MARKED = Disposition.comment | Disposition.hearing_impaired


def run(source: Path, output: Path, **asked: Any) -> Report:
    plain: dict[str, Any] = {"model": "diinn-nano", "backend": "onnxruntime", "precision": "fp32", **asked}
    return upscale(Request(str(source), output, scale=Fraction(1), **plain))


def film(path: Path, languages: tuple[str, ...], title: str = "", marks: Disposition | None = None) -> Path:
    """A film with a sound track of each language, the last one of that title and with those marks."""
    plain = make_film(path.with_stem("plain"), Making(frames=5, audio=languages))
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        twins = {s.index: target.add_stream_from_template(s, opaque=True) for s in source.streams}
        for index, twin in twins.items():
            language = source.streams[index].metadata.get("language")
            twin.metadata.update({"language": language} if language else {})
        last: Any = twins[len(twins) - 1]
        last.metadata.update({"title": title} if title else {})
        if marks is not None:
            last.disposition = marks
        for packet in source.demux():
            if packet.size:
                packet.stream = twins[packet.stream_index]
                target.mux(packet)
    return path


def said(path: Path) -> list[tuple[str, str | None, bool]]:
    """Of each sound track its language, title, and whether it is marked as commentary."""
    with av.open(str(path)) as file:
        return [
            (
                stream.metadata.get("language", ""),
                stream.metadata.get("title", stream.metadata.get("name")),
                bool(stream.disposition & Disposition.comment),
            )
            for stream in file.streams.audio
        ]


def test_mov_knows_languages_by_either_code(tmp_path: Path) -> None:
    languages = ("fre", "cze", "deu", "ger", "swe", "hrv", "srp", "nld", "zho", "eng", "nno")
    source = film(tmp_path / "in.mkv", languages)
    assert run(source, tmp_path / "out.mov").dropped == ()
    found = [language for language, _, _ in said(tmp_path / "out.mov")]
    assert found == ["fra", "ces", "ger", "ger", "sve", "hr ", "sr ", "dut", "chi", "eng", "nor"]
    # And back, by codes that other containers know.
    assert run(tmp_path / "out.mov", tmp_path / "back.mkv").dropped == ()
    back = [language for language, _, _ in said(tmp_path / "back.mkv")]
    assert back == ["fra", "ces", "ger", "ger", "swe", "hrv", "srp", "dut", "chi", "eng", "nor"]


def test_a_language_that_the_container_does_not_know_is_named(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", ("eng", "gla"))
    lost = run(source, tmp_path / "out.mov").dropped
    assert [name.partition(" (")[0] for name in lost] == ["the language 'gla' of audio track 2"]
    assert run(source, tmp_path / "out.mp4").dropped == ()


def test_the_languages_of_other_containers_stay() -> None:
    for container in ("mkv", "mp4", "webm"):
        assert [suited_language(code, container) for code in ("fre", "deu", "zxx")] == ["fre", "deu", "zxx"]


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("out.mkv", []),
        ("out.mp4", []),
        ("out.mov", ["the mark 'commentary'", "the mark 'hearing impaired'"]),
        ("out.webm", ["the mark 'commentary'", "the mark 'hearing impaired'"]),
    ],
)
def test_marks_of_tracks_arrive_or_are_named(tmp_path: Path, name: str, lost: list[str]) -> None:
    source = film(tmp_path / "in.mkv", ("eng", "eng"), "Director", MARKED)
    dropped = run(source, tmp_path / name).dropped
    assert [part.partition(" of ")[0] for part in dropped] == lost
    assert said(tmp_path / name)[1] == ("eng", "Director", not lost)


@pytest.mark.parametrize(
    ("name", "other"), [("out.mkv", "name"), ("out.webm", "name"), ("out.mp4", "title"), ("out.mov", "title")]
)
def test_what_mp4_calls_a_name_is_a_title(tmp_path: Path, name: str, other: str) -> None:
    source = film(tmp_path / "in.mp4", ("eng",), "Director")
    assert run(source, tmp_path / name).dropped == ()
    with av.open(str(tmp_path / name)) as file:
        tags = file.streams.audio[0].metadata
    assert tags["name" if other == "title" else "title"] == "Director"
    assert other not in {key.lower() for key in tags}


@pytest.mark.parametrize(
    ("languages", "tags", "name", "lost"),
    [
        (("eng", "gla"), {}, "out.mov", "the language 'gla' of audio track 2"),
        (("eng", "eng"), {"PURCHASED": "yes"}, "out.webm", "the mark 'commentary' of audio track 2"),
    ],
)
def test_strict_knows_of_lost_words_before_the_first_frame(
    tmp_path: Path, languages: tuple[str, ...], tags: dict[str, str], name: str, lost: str
) -> None:
    source = film(tmp_path / "in.mkv", languages, "Director", MARKED if tags else None)
    with pytest.raises(MediaError, match=f"strict asks for all.*{lost}"):
        run(source, tmp_path / name, strict=True)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["out.mkv", "out.webm"])
def test_what_was_counted_of_the_old_tracks_is_not_said_of_the_new(tmp_path: Path, name: str) -> None:
    counted = {
        "BPS-eng": "1",
        "NUMBER_OF_FRAMES-eng": "2",
        "NUMBER_OF_BYTES": "3",
        "DURATION-eng": "00:00:09.0",
    }
    plain, source = make_film(tmp_path / "plain.mkv", Making(frames=5, audio=("eng",))), tmp_path / "in.mkv"
    with av.open(str(plain)) as film, av.open(str(source), "w") as target:
        twins = {s.index: target.add_stream_from_template(s, opaque=True) for s in film.streams}
        for twin in twins.values():
            twin.metadata.update(counted)
        for packet in film.demux():
            if packet.size:
                packet.stream = twins[packet.stream_index]
                target.mux(packet)
    run(source, tmp_path / name)
    with av.open(str(tmp_path / name)) as result:
        said = {key for stream in result.streams for key in stream.metadata}
    # The muxer's own.
    assert said <= {"DURATION", "language"}
