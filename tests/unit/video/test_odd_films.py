"""Films as people really have them: odd clocks, tracks, lengths, formats and damage, each standing for its kind."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from support.films import Making, frame_pixels, frame_times, make_film, packets
from support.upscaling import nano_request
from support.upscaling import run as upscaled

from edge_sr.errors import HdrError, MediaError, OptionError
from edge_sr.upscale.film_plan import pixel_aspect
from edge_sr.upscale.inputs.pipes import kept_in_file
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.report import Report
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale
from edge_sr.video.film.film import Excerpt, Film
from edge_sr.video.frames.planes import read_plane
from edge_sr.video.frames.side_data import side_data
from edge_sr.video.sequences import numbered_files

TICK = Fraction(1, 25)


@pytest.fixture
def odd(samples: Path) -> Path:
    return samples / "odd"


def run(source: Path, output: Path, **changes: Any) -> Report:
    plain = {} if output.suffix == ".webm" or {"codec", "scale"} & changes.keys() else {"preset": "veryfast"}
    return upscaled(source, output, **{**plain, **changes})


def steps(times: list[Fraction]) -> set[Fraction]:
    return {later - earlier for earlier, later in itertools.pairwise(times)}


def length(path: Path) -> Fraction:
    with av.open(str(path)) as container:
        return Fraction(container.duration or 0, 1_000_000)


# Times


def test_a_clock_that_restarts_goes_on(odd: Path, tmp_path: Path) -> None:
    once = (odd / "eleven-hours.ts").read_bytes()
    twice, output = tmp_path / "twice.ts", tmp_path / "twice.mkv"
    twice.write_bytes(once + once)
    assert run(twice, output).frames == 30
    times = frame_times(output)
    assert {round(float(step), 3) for step in steps(times)} == {0.04}
    sound = [time for time, _ in packets(output, "audio")[0]]
    assert len(sound) == 2 * len(packets(odd / "eleven-hours.ts", "audio")[0])
    # The second part's sound begins as much before its picture as the first part's.
    assert abs((sound[len(sound) // 2] - times[15]) - (sound[0] - times[0])) < Fraction(1, 20)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov"])
def test_a_clock_that_begins_at_eleven_hours_begins_at_zero(odd: Path, tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    run(odd / "eleven-hours.ts", output)
    assert 0 <= frame_times(output)[0] < Fraction(1, 20)
    assert length(output) < 1
    before, after = (packets(path, "audio")[0][0][0] for path in (odd / "eleven-hours.ts", output))
    assert abs(
        (frame_times(odd / "eleven-hours.ts")[0] - before) - (frame_times(output)[0] - after)
    ) < Fraction(1, 500)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("out.mkv", None), ("out.mp4", None), ("out.mov", "prores"), ("out.mkv", "ffv1"), ("out.webm", None)],
)
def test_the_last_frame_lasts_as_long_as_it_says(
    odd: Path, tmp_path: Path, name: str, codec: str | None
) -> None:
    output = tmp_path / name
    run(odd / "slow.gif", output, codec=codec)
    assert frame_times(output) == frame_times(odd / "slow.gif")
    assert abs(length(output) - 6) < Fraction(1, 100)


def test_a_raw_stream_runs_at_the_rate_in_its_headers(odd: Path, tmp_path: Path) -> None:
    run(odd / "raw50.h264", tmp_path / "raw.mkv")
    assert frame_times(tmp_path / "raw.mkv") == [Fraction(index, 50) for index in range(25)]
    run(odd / "raw50.h264", tmp_path / "part.mkv", excerpt=Excerpt(Fraction(3, 10)))
    assert frame_times(tmp_path / "part.mkv") == [Fraction(index, 50) for index in range(10)]


def test_an_excerpt_begins_with_the_frame_that_is_shown(tmp_path: Path) -> None:
    slides = make_film(tmp_path / "slides.mkv", Making(times=(0, 50, 100), codec="ffv1"))
    with Film(str(slides), Excerpt(Fraction(3), Fraction(2))) as film:
        found = [
            (frame.pts * film.info.time_base, frame.duration * film.info.time_base) for frame in film.frames()
        ]
    assert found == [(0, 1), (1, TICK)]


def test_a_sound_longer_than_the_picture_is_no_damage(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", Making(size=(32, 24), frames=10))
    longer = tmp_path / "longer.mkv"
    with av.open(str(film)) as source, av.open(str(longer), "w") as target:
        video = target.add_stream_from_template(source.streams.video[0])
        sound: Any = target.add_stream("pcm_s16le", rate=8000)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video
                target.mux(packet)
        for index in range(50):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = 8000, index * 800, Fraction(1, 8000)
            target.mux(sound.encode(frame))
    assert run(longer, tmp_path / "out.mkv", strict=True).warnings == ()


def test_going_on_decodes_from_a_keyframe(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", Making(size=(32, 24), frames=200, options={"g": "10"}))
    with Film(str(path)) as film:
        whole = [
            (frame.index, frame.pts, frame.duration, frame.frame.to_ndarray()) for frame in film.frames()
        ]
    with Film(str(path)) as film:
        film.skip_to(150, whole[150][1])
        rest = [(frame.index, frame.pts, frame.duration, frame.frame.to_ndarray()) for frame in film.frames()]
    assert [facts[:3] for facts in rest] == [facts[:3] for facts in whole[150:]]
    assert all(np.array_equal(one[3], other[3]) for one, other in zip(rest, whole[150:], strict=True))


def test_a_place_that_is_not_there_is_looked_for_from_the_beginning(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", Making(size=(32, 24), frames=30))
    with Film(str(path)) as film:
        film.skip_to(20, 20 * 512 + 1)
        assert [frame.index for frame in film.frames()] == list(range(20, 30))


# What a container holds


@pytest.mark.parametrize(
    ("name", "codec"),
    [("out.mkv", "pcm_mulaw"), ("out.mov", "pcm_mulaw"), ("out.mp4", "aac"), ("out.webm", "opus")],
)
def test_sound_is_never_dropped(odd: Path, tmp_path: Path, name: str, codec: str) -> None:
    output = tmp_path / name
    report = run(odd / "ulaw.mkv", output)
    with av.open(str(output)) as container:
        assert container.streams.audio[0].codec_context.name == codec
        samples = list(container.decode(audio=0))
    assert report.dropped == ()
    assert abs(sum(frame.samples / frame.sample_rate for frame in samples) - 0.4) < 0.15
    assert abs(samples[0].to_ndarray().astype(float)).max() > 0
    if codec == "pcm_mulaw":
        assert [data for _, data in packets(output, "audio")[0]] == [
            data for _, data in packets(odd / "ulaw.mkv", "audio")[0]
        ]
    else:
        with pytest.raises(MediaError, match="--strict"):
            run(odd / "ulaw.mkv", tmp_path / f"strict-{name}", strict=True)
        assert not (tmp_path / f"strict-{name}").exists()


def test_chapters_covers_and_time_code_are_no_losses(odd: Path, tmp_path: Path) -> None:
    for name in ("out.mp4", "out.mkv"):
        output = tmp_path / name
        # Matroska has no place for QuickTime's form of subtitles.
        assert run(odd / "coverfirst.mp4", output, strict=name == "out.mp4").dropped == ()
        with av.open(str(output)) as container:
            assert len(container.chapters()) == 2
            covers = [s for s in container.streams.video if s.disposition & Disposition.attached_pic]
            assert [cover.codec_context.name for cover in covers] == ["png"]
    assert len(packets(tmp_path / "out.mkv", "subtitle")[0]) > 0


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4"])
def test_a_jpeg_cover_stays_a_cover(odd: Path, tmp_path: Path, name: str) -> None:
    run(odd / "jpgcover.mkv", tmp_path / name, strict=True)
    with av.open(str(tmp_path / name)) as container, av.open(str(odd / "jpgcover.mkv")) as source:
        cover = container.streams.video[1]
        assert cover.disposition & Disposition.attached_pic
        found, wanted = (
            bytes(next(packet for packet in file.demux(file.streams.video[1]) if packet.size))
            for file in (container, source)
        )
        assert found == wanted


def test_a_damaged_packet_costs_no_more_than_itself(odd: Path, tmp_path: Path) -> None:
    report = run(odd / "lost-one-packet.ts", tmp_path / "out.mkv")
    assert report.frames == len(frame_times(tmp_path / "out.mkv")) == 10
    assert any("1 damaged packets" in warning for warning in report.warnings)
    assert (
        len(packets(tmp_path / "out.mkv", "audio")[0])
        == len(packets(odd / "lost-one-packet.ts", "audio")[0]) - 1
    )
    with pytest.raises(MediaError, match="was written"):
        run(odd / "lost-one-packet.ts", tmp_path / "strict.mkv", strict=True)
    assert len(frame_times(tmp_path / "strict.mkv")) == 10


def test_a_track_that_cannot_be_written_after_all_does_not_cost_the_film(
    odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the muxer took in an empty file, it refuses in this one: the subtitles, then the sound as well."""
    from edge_sr.video.mux import mux as muxing

    copied = muxing.copy_stream

    def refusing(output: Any, stream: Any, container: str) -> Any:
        if stream.type in refused:
            raise av.error.InvalidDataError(1, "refused")
        return copied(output, stream, container)

    monkeypatch.setattr(muxing, "copy_stream", refusing)
    for refused, lost in ((("subtitle",), ["subtitle"]), (("audio", "subtitle"), ["audio", "subtitle"])):
        report = run(odd / "coverfirst.mp4", tmp_path / "out.mp4", overwrite=True)
        assert report.frames == len(frame_times(tmp_path / "out.mp4")) == 15
        assert all(any(name.startswith(kind) for name in report.dropped) for kind in lost)
        assert bool(packets(tmp_path / "out.mp4", "audio")) == ("audio" not in refused)


@pytest.mark.parametrize(("codec", "name"), [("x264", "out.mp4"), ("x265", "out.mkv")])
def test_closed_captions_stay_with_their_frames(odd: Path, tmp_path: Path, codec: str, name: str) -> None:
    def captions(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(side_data(frame).get("A53_CC", b"")) for frame in container.decode(video=0)]

    assert (
        run(odd / "captions.mp4", tmp_path / name, codec=codec, strict=True, segment_frames=8).dropped == ()
    )
    found = captions(tmp_path / name)
    assert found == captions(odd / "captions.mp4")
    assert any(found)


@pytest.mark.parametrize(
    ("name", "lost"),
    [("captions.mp4", "closed captions"), ("alpha.webm", "transparency"), ("slow.gif", "transparency")],
)
def test_what_a_picture_loses_is_named(odd: Path, tmp_path: Path, name: str, lost: str) -> None:
    codec = "ffv1" if name == "captions.mp4" else None
    report = run(odd / name, tmp_path / "out.mkv", codec=codec)
    assert any(lost in part for part in report.dropped)
    with pytest.raises(MediaError, match=lost):
        run(odd / name, tmp_path / "strict.mkv", strict=True, codec=codec)


# Pictures of a film


@pytest.mark.parametrize(("pattern", "frames"), [("a%03d.jpg", 3), ("page%03d.png", 3)])
def test_sequences_of_odd_pictures_run(odd: Path, tmp_path: Path, pattern: str, frames: int) -> None:
    """Side data that PyAV has no name for; black and white of one bit."""
    assert run(odd / pattern, tmp_path / "out.mkv").frames == frames


def test_a_sequence_may_begin_anywhere_and_a_gap_in_it_is_told(odd: Path, tmp_path: Path) -> None:
    for number in (98, 99, 100, 103, 104):
        (tmp_path / f"p{number}.png").write_bytes((odd / "page000.png").read_bytes())
    assert list(numbered_files(str(tmp_path / "p%d.png"))) == [98, 99, 100, 103, 104]
    assert list(numbered_files(str(tmp_path / "p%03d.png"))) == [100, 103, 104]
    assert numbered_files(str(tmp_path / "p100.png")) == {}
    report = run(tmp_path / "p%d.png", tmp_path / "out.mkv")
    assert report.frames == 3
    assert report.warnings == ("a number is missing before p103.png: 2 pictures are left out",)


def test_black_and_white_of_one_bit_stay_black_and_white(odd: Path, tmp_path: Path) -> None:
    run(odd / "page%03d.png", tmp_path / "out.mkv", codec="ffv1")
    for found, wanted in zip(
        frame_pixels(tmp_path / "out.mkv", "gray"), frame_pixels(odd / "page%03d.png", "gray"), strict=True
    ):
        assert set(np.unique(wanted)) == {0, 255}
        assert np.abs(found.astype(int) - wanted).mean() < 8


@pytest.mark.parametrize("pixels", ["gray", "gray10le"])
def test_grey_levels_stay(tmp_path: Path, pixels: str) -> None:
    """Black and white of the limited range, in flat halves."""
    unit = 1 if pixels == "gray" else 4
    source, output = tmp_path / "grey.mkv", tmp_path / "out.mkv"
    with av.open(str(source), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        stream.codec_context.color_range = 1
        for _ in range(3):
            picture = np.full((48, 64), 16 * unit, np.uint8 if unit == 1 else np.uint16)
            picture[:, 32:] = 235 * unit
            frame = av.VideoFrame.from_ndarray(picture, format=pixels)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    run(source, output, codec="ffv1")
    with av.open(str(output)) as container:
        for frame in container.decode(video=0):
            luma = read_plane(frame.planes[0], np.uint8 if unit == 1 else np.uint16, 64)
            assert abs(int(np.median(luma[8:40, 8:24])) - 16 * unit) <= unit
            assert abs(int(np.median(luma[8:40, 40:56])) - 235 * unit) <= unit


def test_a_part_of_another_shape_keeps_it(tmp_path: Path) -> None:
    """A phone that was turned: the second half is portrait."""
    parts = [
        make_film(tmp_path / f"{number}.ts", Making(size=size, frames=10, options={"bf": "0"}))
        for number, size in enumerate([(64, 48), (48, 64), (64, 48)])
    ]
    turned, output = tmp_path / "turned.ts", tmp_path / "out.mkv"
    turned.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert run(turned, output).frames == 30
    found = frame_pixels(output, "rgb24")
    portrait = found[15].astype(int)
    assert portrait[:, :10].max() < 24
    assert portrait[:, -10:].max() < 24
    assert portrait[:, 16:48].max() > 100
    assert found[5][:, :10].max() > 100


@pytest.mark.parametrize(
    ("aspect", "before", "after", "wanted"),
    [
        (Fraction(32, 27), (720, 480), (1920, 1080), Fraction(1)),
        (Fraction(32, 27), (144, 96), (384, 216), Fraction(1)),
        (Fraction(32, 27), (720, 480), (1440, 960), Fraction(32, 27)),
        (Fraction(1), (854, 480), (1920, 1080), Fraction(1)),  # the same shape but for rounding
        (Fraction(1), (320, 240), (320, 480), Fraction(2)),
    ],
)
def test_the_displayed_shape_stays(
    aspect: Fraction, before: tuple[int, int], after: tuple[int, int], wanted: Fraction
) -> None:
    assert pixel_aspect(aspect, before, after) == wanted


def test_dolby_vision_without_a_base_is_refused(odd: Path, tmp_path: Path) -> None:
    with pytest.raises(HdrError, match="Dolby Vision profile 5"):
        run(odd / "profile5.mp4", tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pixels", ["bayer_rggb16le", "bayer_bggr8"])
def test_a_cameras_raw_film_is_refused(tmp_path: Path, pixels: str) -> None:
    """As ProRes RAW is decoded, and CinemaDNG."""
    with av.open(str(tmp_path / "raw.nut"), "w") as film:
        stream: Any = film.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        light = np.zeros((48, 64), np.uint16 if "16" in pixels else np.uint8)
        film.mux(stream.encode(av.VideoFrame.from_ndarray(light, format=pixels)))
    with pytest.raises(MediaError, match="a camera's raw film: develop it first"):
        run(tmp_path / "raw.nut", tmp_path / "out.mkv")


def test_an_impossible_header_is_refused(odd: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="header is damaged"):
        run(odd / "b28_aspect.y4m", tmp_path / "out.mkv")


# Names


def test_a_damaged_header_is_no_lack_of_memory(samples: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    whole = (samples / "bunny.mp4").read_bytes()
    count = whole.index(b"stts") + 8
    film.write_bytes(whole[:count] + b"\xff\xff\xff\xff" + whole[count + 4 :])
    with pytest.raises(MediaError, match="not a film or picture that FFmpeg can open"):
        run(film, tmp_path / "out.mkv")


def test_names_with_colons_and_of_great_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain = make_film(tmp_path / "film.mp4", Making(size=(32, 24), frames=3, audio=("eng",)))
    for name in ("Alien: Covenant.mp4", "http:notes.mp4", "%d% off [x|y]'s.mp4", "ä" * 123 + ".mp4"):
        Path(name).write_bytes(plain.read_bytes())
        report = upscale(nano_request(name, scale=Fraction(2)))
        assert len(frame_times(Path(report.output).resolve())) == 3
        assert Path(report.output).resolve().parent == tmp_path
    output = Path("Out: take 2.mkv")
    run(Path("film.mp4"), output)
    assert len(frame_times(output.resolve())) == 3


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.webm", "out.mov"])
def test_the_date_of_a_film_stays(tmp_path: Path, name: str) -> None:
    dated = {"creation_time": "2020-01-02T03:04:05.000000Z", "title": "A film"}
    film = make_film(tmp_path / "film.mp4", Making(size=(32, 24), frames=3, metadata=dated))
    assert run(film, tmp_path / name).dropped == ()
    with av.open(str(tmp_path / name)) as container:
        assert container.metadata["creation_time"] == dated["creation_time"]


# Pipes


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_a_film_like_any_other(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Making(size=(32, 24), frames=5, audio=("eng",)))
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    sender = threading.Thread(target=lambda: pipe.write_bytes(film.read_bytes()))
    sender.start()
    assert run(pipe, tmp_path / "out.mp4").frames == 5
    sender.join()
    assert packets(tmp_path / "out.mp4", "audio") == packets(film, "audio")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "out.mp4", "pipe.mp4"]
    with pytest.raises(OptionError, match="-o"):
        upscale(Request(str(pipe), scale=Fraction(2)))


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs sockets that are files")
def test_a_socket_is_no_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("film.mkv")
        with pytest.raises(MediaError, match=r"film\.mkv is not a film"):
            run(Path("film.mkv"), Path("out.mkv"))


def test_an_input_that_cannot_be_read_is_the_one_that_is_named(tmp_path: Path) -> None:
    request = Request(str(tmp_path), tmp_path / "out.mkv", scale=Fraction(1))
    with pytest.raises(MediaError, match="cannot be read: Is a directory"), kept_in_file(request, Controls()):
        pass
    assert not list(tmp_path.iterdir())
