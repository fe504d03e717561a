"""Encoders: which container takes which, our options in their words, and segments muxed without a seam."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.codec
import av.logging
import numpy as np
import pytest
from support.films import frame_pixels, frame_times, make_film, moving_picture

from edge_sr.errors import DiskFullError, MissingError, OptionError, UnknownNameError
from edge_sr.machine import scheduling
from edge_sr.video import opening
from edge_sr.video.encode.codecs import CODECS, find_codec, fitting_layout
from edge_sr.video.encode.containers import CONTAINERS, container_for, muxer_options
from edge_sr.video.encode.encoding import Encoding, plan_encoding
from edge_sr.video.encode.refusal import refusals
from edge_sr.video.encode.segment_encoder import EncodeSettings, probe
from edge_sr.video.encode.segments import SegmentWriter, finished_segments, frames_per_segment
from edge_sr.video.encode.splicing import Pieces, spliced_packets
from edge_sr.video.film.film import Excerpt, Film
from edge_sr.video.film.tracks import TrackPlan
from edge_sr.video.frames.colour import Colour
from edge_sr.video.frames.pixels import FromRgb, PixelLayout, ToRgb
from edge_sr.video.mux.mux import MuxPlan
from edge_sr.video.mux.whole import mux
from edge_sr.video.timed import Timed

SIZE = (64, 48)
COLOUR = Colour(1, False, 1, 1)
UNEVEN = [0, 1, 4, 5, 9, 16, 17, 18, 25, 26, 31, 40, 41, 42]


def encoding_of(codec: str, container: str, **options: Any) -> Encoding:
    found = find_codec(codec, container)
    layout = fitting_layout(found, PixelLayout(8, "420"), explicit=False, size=SIZE)
    options = {"crf": None, "preset": None, "threads": 1, **options}
    return plan_encoding(found, layout, SIZE, Fraction(25), **options)


def write_pieces(
    folder: Path, encoding: Encoding, length: int, unit: Fraction = Fraction(1, 90000)
) -> EncodeSettings:
    """A film of uneven times, ``UNEVEN`` fiftieths of a second after a start of 1.4 s, in segments of ``length``."""
    recipe = EncodeSettings(encoding, unit, Fraction(1), COLOUR)
    writer = SegmentWriter(folder, recipe, length)
    to_yuv = FromRgb(COLOUR, encoding.layout)
    for index, place in enumerate(UNEVEN):
        pts = round((Fraction(14, 10) + Fraction(place, 50)) / unit)
        writer.write(Timed(index, pts, round(Fraction(1, 50) / unit), to_yuv(moving_picture(SIZE, index))))
    writer.finish()
    return recipe


def muxed(tmp_path: Path, recipe: EncodeSettings, segments: Path, suffix: str) -> Path:
    source, target = make_film(tmp_path / "source.mkv"), tmp_path / f"muxed{suffix}"
    plan = MuxPlan(
        source=str(source),
        picture=0,
        container=container_for(target),
        tracks=TrackPlan((), ()),
        excerpt=Excerpt(),
        recipe=recipe,
    )
    mux(finished_segments(segments), plan, target)
    return target


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        ("x264", ".mp4"),
        ("x264", ".mkv"),
        ("x265", ".mov"),
        ("svt-av1", ".mp4"),
        ("vp9", ".webm"),
        ("prores", ".mov"),
        ("ffv1", ".mkv"),
    ],
)
def test_every_codec_keeps_times_and_picture(tmp_path: Path, codec: str, suffix: str) -> None:
    segments = tmp_path / "segments"
    segments.mkdir()
    recipe = write_pieces(segments, encoding_of(codec, suffix[1:]), length=5)
    film = muxed(tmp_path, recipe, segments, suffix)
    wanted = [Fraction(14, 10) + Fraction(place, 50) for place in UNEVEN]
    # Matroska, and so WebM, counts in milliseconds.
    slack = Fraction(1, 1000) if suffix in (".mkv", ".webm") else 0
    assert all(abs(a - b) <= slack for a, b in zip(frame_times(film), wanted, strict=True))
    for index, frame in enumerate(frame_pixels(film, "rgb24")):
        assert np.abs(frame.astype(int) - moving_picture(SIZE, index)).mean() < 12


@pytest.mark.skipif(sys.platform != "linux", reason="threads' policies are Linux's")
def test_an_encoder_leaves_every_thread_its_scheduling(tmp_path: Path) -> None:
    """SVT-AV1 makes itself and whoever opens it real-time where it runs as root."""
    encoding = encoding_of("svt-av1", "mkv")
    probe(encoding)
    writer = SegmentWriter(tmp_path, EncodeSettings(encoding, Fraction(1, 25), Fraction(1), COLOUR), 8)
    writer.write(Timed(0, 0, 1, FromRgb(COLOUR, encoding.layout)(moving_picture(SIZE, 0))))
    found = {os.sched_getscheduler(int(path.name)) for path in Path("/proc/self/task").iterdir()}
    writer.finish()
    assert found == {os.SCHED_OTHER}


def test_scheduling_is_kept_where_proc_is_not_mounted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(scheduling, "TASKS", tmp_path / "none")
    with scheduling.keeping_scheduling():
        pass


def test_pieces_do_not_depend_on_the_run(tmp_path: Path) -> None:
    encoding = encoding_of("x264", "mp4")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_pieces(tmp_path / name, encoding, length=5)
    ones, twos = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [path.name for path in ones] == [path.name for path in twos]
    assert len(ones) == 3
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(ones, twos, strict=True))


def test_decoding_times_rise_and_never_pass_their_frames(tmp_path: Path) -> None:
    recipe = write_pieces(tmp_path, encoding_of("x264", "mp4"), length=5)
    packets = list(spliced_packets(Pieces.of(finished_segments(tmp_path)), recipe.time_base))
    decoding = [packet.dts for packet in packets]
    assert all(a < b for a, b in itertools.pairwise(decoding))
    assert all(packet.dts <= packet.pts for packet in packets)
    assert min(decoding) < packets[0].pts  # the segments do have frames out of order


def test_a_gap_ends_what_is_finished(tmp_path: Path) -> None:
    write_pieces(tmp_path, encoding_of("x264", "mp4"), length=5)
    next(tmp_path.glob("000001_*")).unlink()
    assert [segment.index for segment in finished_segments(tmp_path)] == [0]


def test_an_unfinished_piece_is_playable_but_not_finished(tmp_path: Path) -> None:
    encoding = encoding_of("x264", "mp4")
    writer = SegmentWriter(tmp_path, EncodeSettings(encoding, Fraction(1, 25), Fraction(1), COLOUR), 8)
    to_yuv = FromRgb(COLOUR, encoding.layout)
    for index in range(3):
        writer.write(Timed(index, index, 1, to_yuv(moving_picture(SIZE, index))))
    tail = writer.suspend()
    assert tail is not None
    assert len(frame_times(tail.path)) == 3
    assert tail.end_pts == 3
    assert finished_segments(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    encoding = encoding_of("x264", "mp4")
    writer = SegmentWriter(
        tmp_path / "absent", EncodeSettings(encoding, Fraction(1, 25), Fraction(1), COLOUR), 2
    )
    frame = FromRgb(COLOUR, encoding.layout)(moving_picture(SIZE, 0))
    writer.write(Timed(0, 0, 1, frame))
    with pytest.raises(RuntimeError, match="absent"):
        writer.finish()


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    encoding = encoding_of("x264", "mp4", crf=1)
    writer = SegmentWriter(tmp_path, EncodeSettings(encoding, Fraction(1, 25), Fraction(1), COLOUR), 40)
    to_yuv = FromRgb(COLOUR, encoding.layout)
    for index in range(30):
        writer.write(Timed(index, index, 1, to_yuv(moving_picture(SIZE, index))))
    earlier, handler = (
        resource.getrlimit(resource.RLIMIT_FSIZE),
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
    )
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, earlier[1]))
        with pytest.raises(DiskFullError):
            writer.finish()
        tail = writer.salvage()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, earlier)
        signal.signal(signal.SIGXFSZ, handler)
    assert tail is not None
    assert 1 <= len(frame_times(tail.path)) < 30


def test_names_and_containers() -> None:
    assert find_codec(None, "webm").name == "vp9"
    assert find_codec(None, "mp4").name == "x264"
    assert find_codec("HEVC", "mkv").name == "x265"
    with pytest.raises(UnknownNameError, match="x264"):
        find_codec("divx", "mp4")
    with pytest.raises(OptionError, match="MOV cannot hold VP9"):
        find_codec("vp9", "mov")
    with pytest.raises(OptionError, match=r"\.mkv"):
        container_for(Path("film.avi"))
    assert {container.name for container in CONTAINERS} == {"mp4", "mkv", "mov", "webm"}


def test_layouts_that_a_codec_does_not_take() -> None:
    def layout(codec: str, source: PixelLayout) -> str:
        return fitting_layout(find_codec(codec, "mkv"), source, explicit=False, size=SIZE).name

    assert layout("x264", PixelLayout(8, "420")) == "yuv420p"
    assert layout("x264", PixelLayout(8, "444")) == "yuv444p10le"
    assert layout("x264", PixelLayout(12, "422")) == "yuv422p10le"
    assert layout("svt-av1", PixelLayout(10, "444")) == "yuv420p10le"
    assert layout("vp9", PixelLayout(10, "420")) == "yuv420p"
    assert layout("prores", PixelLayout(8, "420")) == "yuv422p10le"


def test_an_explicit_odd_size_names_its_neighbours() -> None:
    with pytest.raises(OptionError, match="64x48 or 66x50"):
        fitting_layout(find_codec("x264", "mp4"), PixelLayout(8, "420"), explicit=True, size=(65, 49))
    assert fitting_layout(find_codec("x264", "mp4"), PixelLayout(8, "444"), explicit=True, size=(65, 49))


@pytest.mark.parametrize(
    ("codec", "options", "message"),
    [
        ("prores", {"crf": 20}, "prores has no --crf"),
        ("ffv1", {"preset": "fast"}, "ffv1 has no --preset"),
        ("x264", {"crf": 70}, "between 0 and 51"),
        (
            "x264",
            {"preset": "bogus"},
            "--preset of x264 must be one of ultrafast, .*, placebo, found 'bogus'",
        ),
        ("svt-av1", {"preset": "fast"}, "--preset of svt-av1 must be one of 0 to 13, found 'fast'"),
        ("vp9", {"preset": "fast"}, "0 to 8"),
        ("prores", {"preset": "fast"}, "proxy, lt, standard, hq"),
    ],
)
def test_options_that_a_codec_does_not_have(codec: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        encoding_of(codec, "mov" if codec == "prores" else "mkv", **options)


def test_a_preset_out_of_range_is_refused_before_the_work() -> None:
    with pytest.raises(OptionError, match=r"svt-av1 refuses 64x48 with crf 26, preset 14: .*range"):
        probe(encoding_of("svt-av1", "mp4", preset="14"))


@pytest.mark.parametrize("codec", [name for name, codec in CODECS.items() if not codec.is_hardware])
def test_every_preset_that_is_named_opens(codec: str) -> None:
    container = "mov" if codec == "prores" else "mkv"
    for preset in (CODECS[codec].presets[:1] + CODECS[codec].presets[-1:]) or (None,):
        probe(encoding_of(codec, container, preset=preset))


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is an NVIDIA GPU here")
@pytest.mark.parametrize("device", ["nvidia0", "nvidia1", "dxg"])
@pytest.mark.parametrize("hwaccel", ["none", "auto", "cuda"])
def test_a_gpu_that_does_not_decode_is_said_or_refused(
    samples: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hwaccel: str, device: str
) -> None:
    """As in a container without the driver's video libraries: the device is there, its decoder is not."""
    (tmp_path / device).touch()
    monkeypatch.setattr(opening, "DEVICES", tmp_path)
    if hwaccel == "cuda":
        with pytest.raises(
            MissingError, match=r"--hwaccel cuda needs .*, and no NVIDIA driver.*: use --hwaccel none"
        ):
            Film(str(samples / "bunny.mp4"), hwaccel=hwaccel)
        return
    with Film(str(samples / "bunny.mp4"), hwaccel=hwaccel) as film:
        assert any("decoded on the CPU" in note for note in film.info.notes) is (hwaccel == "auto")
        assert next(film.frames()).index == 0


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is an NVIDIA GPU here")
def test_an_encoder_of_absent_hardware_is_missing() -> None:
    """Told in FFmpeg's own words, also from a thread, and FFmpeg is quiet again afterwards."""
    with (
        pytest.raises(
            MissingError, match=r"does not open here \(.*libcuda.*\): .*NVIDIA GPU .*driver 570 or newer"
        ),
        ThreadPoolExecutor(1) as other,
    ):
        other.submit(probe, encoding_of("h264_nvenc", "mp4")).result()
    assert av.logging.get_level() is None


def test_encoders_that_open_at_once_leave_ffmpeg_as_quiet_as_it_was() -> None:
    codec, inside = CODECS["x264"], threading.Event()

    def other() -> None:
        with refusals(codec, (32, 24), {}):
            inside.set()

    thread = threading.Thread(target=other)
    with refusals(codec, (32, 24), {}):
        thread.start()
        assert not inside.wait(0.3)
    thread.join()
    assert inside.is_set() and av.logging.get_level() is None


@pytest.mark.parametrize("name", [codec.name for codec in CODECS.values() if not codec.element])
@pytest.mark.parametrize("chroma", ["420", "422", "444"])
@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize("alpha", [False, True])
def test_every_codec_has_a_format_that_its_encoder_takes(
    name: str, chroma: str, depth: int, alpha: bool
) -> None:
    codec = CODECS[name]
    taken = {one.name for one in av.codec.Codec(codec.encoder, "w").video_formats or ()}
    for container in codec.containers:
        source = PixelLayout(depth, chroma, has_alpha=alpha)
        layout = fitting_layout(codec, source, explicit=False, size=SIZE, container=container)
        encoding = plan_encoding(codec, layout, SIZE, Fraction(25), crf=None, preset=None, threads=1)
        assert encoding.pixel_format in taken
        if codec.is_hardware and depth == 8:
            assert layout.depth == 8


@pytest.mark.parametrize("name", ["hevc_nvenc", "av1_nvenc"])
@pytest.mark.parametrize("chroma", ["420", "444"])
def test_what_goes_to_nvenc_is_the_picture(name: str, chroma: str) -> None:
    """Packed ten bits, read back, are those of the planar format."""
    codec = CODECS[name]
    layout = fitting_layout(codec, PixelLayout(10, chroma), explicit=False, size=SIZE)
    encoding = plan_encoding(codec, layout, SIZE, Fraction(25), crf=None, preset=None, threads=1)
    picture = moving_picture(SIZE, 3).astype(np.float32) / 255
    packed = FromRgb(COLOUR, layout, encoding.pixel_format)(picture)
    assert packed.format.name == encoding.pixel_format != layout.name
    planar = FromRgb(COLOUR, layout)(picture)
    to_rgb = ToRgb(COLOUR, PixelLayout(10, chroma))
    assert np.abs(to_rgb(packed) - to_rgb(planar)).max() <= 1.01 / 1023


def test_large_pictures_get_shorter_pieces_and_lookahead() -> None:
    codec, layout = find_codec("x264", "mp4"), PixelLayout(8, "420")

    def planned(size: tuple[int, int]) -> Encoding:
        return plan_encoding(codec, layout, size, Fraction(25), crf=None, preset=None, threads=1)

    assert frames_per_segment(planned((1920, 1080))) == 120
    assert frames_per_segment(planned((7680, 4320))) == 16
    assert "rc-lookahead" not in dict(planned((1920, 1080)).options)
    assert int(dict(planned((7680, 4320)).options)["rc-lookahead"]) < 25
    with pytest.raises(OptionError, match="16384"):
        planned((20000, 1000))


def test_a_late_start_needs_a_finer_clock_in_mp4() -> None:
    mp4, mkv = container_for(Path("a.mp4")), container_for(Path("a.mkv"))
    assert muxer_options(mp4, [Fraction(1, 90000)], {}) == {"movie_timescale": "90000"}
    assert muxer_options(mp4, [Fraction(1, 30000), Fraction(1, 44100)], {}) == {"movie_timescale": "4410000"}
    assert muxer_options(mp4, [], {"title": "x"}) == {}
    assert muxer_options(mp4, [], {"firmware": "x"}) == {"movflags": "+use_metadata_tags"}
    assert "movie_timescale" not in muxer_options(mkv, [Fraction(1, 90000)], {"firmware": "x"})


def test_this_ffmpeg_has_the_encoders_it_should() -> None:
    missing = [
        name for name in ("libx264", "libx265", "libsvtav1", "libvpx-vp9") if name not in av.codecs_available
    ]
    assert not missing
