"""What a film carries beside its picture, and whether it arrives."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from support.films import Making, make_film, packets
from support.upscaling import run

from edge_sr.video.encode.containers import CONTAINERS
from edge_sr.video.film.info import Excerpt
from edge_sr.video.film.packets import FilmPackets
from edge_sr.video.film.tags import copy_stream, lost_metadata
from edge_sr.video.film.tracks import TrackPlan, Way, plan_tracks
from edge_sr.video.frames.side_data import side_data
from edge_sr.video.mux.copying import moved_chapters, other_packets, window_of

RICH = Making(
    frames=50,
    audio=("eng", "deu"),
    subtitles=(("early", 100, 900), ("late", 1200, 1600)),
    chapters=(("One", 0, 1000), ("Two", 1000, 2000)),
    attachments=(("font.txt", "text/plain", b"letters"),),
    metadata={"title": "A film"},
)
MKV, MP4, WEBM = (next(c for c in CONTAINERS if c.name == name) for name in ("mkv", "mp4", "webm"))


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("films") / "rich.mkv", RICH)


def plan(path: Path, container: Any) -> TrackPlan:
    with av.open(str(path)) as source:
        return plan_tracks(source, 0, container)


def test_matroska_holds_everything(rich: Path) -> None:
    assert plan(rich, MKV) == TrackPlan(tuple((index, Way.COPY) for index in (1, 2, 3, 4)), ())


def test_what_mp4_cannot_hold_is_named(rich: Path) -> None:
    found = plan(rich, MP4)
    assert found.ways == ((1, Way.COPY), (2, Way.COPY), (3, Way.ENCODE))
    assert found.changed == ("subtitle track 3 (srt, eng) as mov_text",)
    assert [name.partition(" (")[0] for name in found.dropped] == ["attachment track 4"]
    assert "font.txt" in found.dropped[0]


def test_what_webm_cannot_hold_is_encoded_again(rich: Path) -> None:
    assert plan(rich, WEBM).changed == (
        "audio track 1 (flac, eng) as libopus",
        "audio track 2 (flac, deu) as libopus",
        "subtitle track 3 (srt, eng) as webvtt",
    )


def test_a_dvd_s_navigation_is_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "in.vob"
    with av.open(str(path), "w", format="dvd") as target:
        video: Any = target.add_stream("mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            target.mux(video.encode(av.VideoFrame(64, 48, "yuv420p")))
        target.mux(video.encode(None))
    with av.open(str(path)) as source:
        data = [stream for stream in source.streams if stream.type == "data"]
        assert [getattr(stream, "name", "") for stream in data] == ["dvd_nav_packet"]
        assert plan_tracks(source, source.streams.video[0].index, MKV) == TrackPlan((), ())


def copied(
    path: Path, excerpt: Excerpt, until: Fraction | None = None
) -> dict[int, list[tuple[Fraction, bytes]]]:
    """Time and content of every copied packet, by the source's stream."""
    found: dict[int, list[tuple[Fraction, bytes]]] = {1: [], 3: []}
    with av.open(str(path)) as source, av.open("nothing.mkv", "w", format="null") as target:
        twins = {index: copy_stream(target, source.streams[index], "mkv") for index in found}
        numbers = {twin.index: index for index, twin in twins.items()}
        packets = FilmPackets(source)
        for packet in other_packets(
            packets, twins, {}, window_of(packets, excerpt, until, Fraction(1, 1000))
        ):
            found[numbers[packet.stream_index]].append((packet.pts * packet.time_base, bytes(packet)))
    return found


def test_whole_tracks_are_copied_packet_by_packet(rich: Path) -> None:
    found = copied(rich, Excerpt())
    assert found[1] == packets(rich, "audio")[0]
    assert [words for _, words in found[3]] == [b"early", b"late"]


def test_an_excerpt_is_cut_and_moved(rich: Path) -> None:
    found = copied(rich, Excerpt(Fraction(1, 2), Fraction(1)))
    times = [time for time, _ in found[1]]
    whole = [(time - Fraction(1, 2), data) for time, data in packets(rich, "audio")[0]]
    assert found[1] == [(time, data) for time, data in whole if 0 <= time < 1]
    assert min(times) >= 0
    # The subtitle that is on the screen at the start begins there.
    assert found[3] == [(Fraction(0), b"early"), (Fraction(7, 10), b"late")]


def test_an_unfinished_film_ends_its_other_tracks_too(rich: Path) -> None:
    found = copied(rich, Excerpt(), until=Fraction(1))
    assert max(time for time, _ in found[1]) < 1
    assert [words for _, words in found[3]] == [b"early"]


def test_chapters_move_with_the_excerpt(rich: Path) -> None:
    def times(excerpt: Excerpt, until: Fraction | None = None) -> list[tuple[str, float, float]]:
        with av.open(str(rich)) as source:
            packets = FilmPackets(source)
            moved = moved_chapters(
                source.chapters(), packets, window_of(packets, excerpt, until, Fraction(1, 1000))
            )
            return [
                (c["metadata"]["title"], float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]))
                for c in moved
            ]

    assert times(Excerpt()) == [("One", 0, 1), ("Two", 1, 2)]
    assert times(Excerpt(Fraction(1, 2), Fraction(1))) == [("One", 0, 0.5), ("Two", 0.5, 1)]
    assert times(Excerpt(), Fraction(1, 2)) == [("One", 0, 0.5)]


def test_a_chapter_before_the_film_begins_with_it(rich: Path) -> None:
    """Muxers refuse the whole film for one."""
    with av.open(str(rich)) as source:
        packets = FilmPackets(source)
        window = window_of(packets, Excerpt(), None, Fraction(1, 1000))
        one, other = source.chapters()
        early = [{**one, "start": -(10**15)}, {**other, "start": -2, "end": -1}]
        assert [(c["start"], c["end"]) for c in moved_chapters(early, packets, window)] == [(0, one["end"])]


def test_lost_metadata_is_named_and_facts_about_the_old_file_are_not() -> None:
    source = {"title": "x", "Firmware": "9", "major_brand": "isom", "ENCODER": "Lavf", "DURATION": "1"}
    assert lost_metadata(source, {"TITLE": "x"}, "the film") == ["metadata 'Firmware' of the film"]


def marked_3d(path: Path, in_the_stream: bool) -> Path:
    """Two pictures side by side, as H.264's own message says or Matroska's tag."""
    options = {"x264-params": "frame-packing=3"} if in_the_stream else {}
    plain = make_film(path.with_suffix(".h264.mkv"), Making(frames=3, options=options))
    if in_the_stream:
        return plain
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        twin = target.add_stream_from_template(source.streams.video[0], opaque=True)
        twin.metadata["stereo_mode"] = "left_right"
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = twin
                target.mux(packet)
    return path


@pytest.mark.parametrize(
    ("in_the_stream", "name", "kept"),
    [
        (True, "out.mkv", True),
        (True, "out.webm", True),
        (True, "out.mp4", True),
        (False, "out.mkv", True),
        (False, "out.webm", True),
        (False, "out.mp4", True),
        (False, "out.mov --codec prores", False),
    ],
)
def test_the_mark_of_3d_is_kept_or_named(tmp_path: Path, in_the_stream: bool, name: str, kept: bool) -> None:
    source = marked_3d(tmp_path / "in.mkv", in_the_stream)
    name, _, codec = name.partition(" --codec ")
    assert run(source, tmp_path / name, codec=codec or None).dropped == (
        () if kept else ("the mark of a 3D film",)
    )
    with av.open(str(tmp_path / name)) as file:
        (picture,) = file.streams.video
        # Players show half of a picture that the container calls 3D: not where the codec alone said so, and still does.
        tagged = name.endswith("webm") or (name.endswith("mkv") and not in_the_stream)
        assert picture.metadata.get("stereo_mode") == ("left_right" if tagged else None)
        found = side_data(next(file.decode(picture))).get("STEREO3D")
        assert (found is not None and bytes(found)[0] == 1) == kept
