"""How wide a pixel is arrives, whichever codec and container a film goes to."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from support.films import Making, make_film

from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.streaming import Outgoing, stream_film
from edge_sr.upscale.upscale import upscale
from edge_sr.video.film.matroska import SEGMENT, TRACKS, elements, spans
from edge_sr.video.mux.matroska_aspect import POSITION, SEEK, SEEK_HEAD, VOID, says_aspect, write_aspect
from edge_sr.video.mux.streamed import Trial

PLAIN: dict[str, Any] = {"model": "diinn-nano", "backend": "onnxruntime", "precision": "fp32"}


@pytest.mark.parametrize("aspect", [Fraction(16, 11), Fraction(8, 9)])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("o.webm", "vp9"), ("o.mkv", "ffv1"), ("o.mkv", "prores"), ("o.mp4", "vp9"), ("o.mkv", "x264")],
)
def test_pixel_aspect_arrives(tmp_path: Path, name: str, codec: str, aspect: Fraction) -> None:
    source = make_film(tmp_path / "in.mkv", Making(frames=3, aspect=aspect, audio=("eng",)))
    report = upscale(Request(str(source), tmp_path / name, scale=Fraction(2), codec=codec, **PLAIN))
    assert report.dropped == ()
    with av.open(str(tmp_path / name)) as file:
        (picture,) = file.streams.video
        found = picture.sample_aspect_ratio
        assert found is not None
        assert abs(found / aspect - 1) < Fraction(1, 100)
        frames = sum(1 for _ in file.decode(picture))
        assert frames == 3 and file.streams.audio[0].metadata["language"] == "eng"


def test_what_follows_the_header_stays_in_its_place(tmp_path: Path) -> None:
    film = make_film(tmp_path / "in.mkv", Making(frames=3, codec="ffv1"))
    before = film.read_bytes()
    assert write_aspect(film, Fraction(4, 3))
    after = film.read_bytes()
    assert len(after) == len(before)
    place = next(start for ident, start, _ in spans(before) if ident == SEGMENT)
    tracks = next(end for ident, _, end in spans(before[place:]) if ident == TRACKS)
    assert after[place + tracks :] == before[place + tracks :] and after != before
    assert [ident for ident, _, _ in spans(after[place:])] == [ident for ident, _, _ in spans(before[place:])]


@pytest.mark.parametrize("tracks", range(7))
def test_the_list_of_parts_still_says_where_they_are(tmp_path: Path, tracks: int) -> None:
    film = make_film(tmp_path / "in.mkv", Making(frames=3, codec="ffv1", audio=("eng",) * tracks))
    assert write_aspect(film, Fraction(2)) and says_aspect(str(film), Fraction(2))
    data = film.read_bytes()
    segment = data[next(start for ident, start, _ in spans(data) if ident == SEGMENT) :]
    listed = [
        dict(elements(body)) for ident, body in elements(dict(elements(segment))[SEEK_HEAD]) if ident == SEEK
    ]
    assert len(listed) >= 3
    for entry in listed:
        place = int.from_bytes(entry[POSITION], "big")
        assert segment[place:].startswith(entry[b"\x53\xab"])


def test_a_3d_film_keeps_it_too(tmp_path: Path) -> None:
    options = {"x264-params": "frame-packing=3"}
    source = make_film(tmp_path / "in.mkv", Making(frames=2, aspect=Fraction(4, 3), options=options))
    report = upscale(Request(str(source), tmp_path / "o.webm", scale=Fraction(1), **PLAIN))
    assert report.dropped == ()
    with av.open(str(tmp_path / "o.webm")) as file:
        found = file.streams.video[0].sample_aspect_ratio
    assert found is not None and abs(found / Fraction(4, 3) - 1) < Fraction(1, 40)


@pytest.mark.parametrize("kind", [SEEK_HEAD, VOID, SEGMENT])
def test_a_header_of_another_kind_is_left_alone(tmp_path: Path, kind: bytes) -> None:
    film = make_film(tmp_path / "in.mkv", Making(frames=2, codec="ffv1"))
    other = film.read_bytes().replace(kind, b"\xbf" + kind[1:], 1)
    film.write_bytes(other)
    assert not write_aspect(film, Fraction(4, 3))
    assert film.read_bytes() == other


def test_a_stream_without_it_says_so_before_its_first_byte(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mkv", Making(frames=3, aspect=Fraction(16, 11)))
    told: list[str] = []
    outgoing = Outgoing(Trial(), lambda given, wanted: None, lambda plan, network, lost: told.extend(lost))
    for name, lost in (("o.webm", ["the pixel aspect"]), ("o.mp4", [])):
        request = Request(str(source), tmp_path / name, scale=Fraction(1), **PLAIN)
        stream_film(request, outgoing, Controls())
        assert told == lost
        told.clear()
