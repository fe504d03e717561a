"""Sound whose channels the film says little of, or changes, and what becomes of its tracks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.upscaling import run

from edge_sr.video.encode.containers import container_for
from edge_sr.video.film.info import Excerpt
from edge_sr.video.film.tracks import TrackPlan, Way, fewer_and_fewer, plan_tracks

RATE = 48_000


def film(path: Path, codec: str, layout: str, words: str = "", rate: int = RATE) -> Path:
    """A second of picture and of sound, each of whose channels is louder than the one before it."""
    with av.open(str(path), "w") as file:
        picture: Any = file.add_stream("mpeg4", rate=5)
        picture.width, picture.height, picture.pix_fmt = 32, 24, "yuv420p"
        sound: Any = file.add_stream(codec, rate=rate, layout=layout)
        sound.codec_context.open(strict=False)
        titles: Any = file.add_mux_stream("subrip") if words else None
        if titles:
            titles.time_base = Fraction(1, 1000)
        for index in range(5):
            frame = av.VideoFrame(32, 24, "yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 5)
            file.mux(picture.encode(frame))
        file.mux(picture.encode(None))
        _write_sound(file, sound)
        if titles:
            packet = av.Packet(words.encode())
            packet.stream, packet.time_base, packet.pts, packet.dts = titles, Fraction(1, 1000), 100, 100
            packet.duration = 500
            file.mux(packet)
    return path


def _write_sound(file: Any, sound: Any) -> None:
    context = sound.codec_context
    rate = context.sample_rate
    count, size = context.layout.nb_channels, context.frame_size or 1024
    tone = np.sin(np.arange(rate) * 0.07)[None] * np.linspace(0.1, 0.6, count)[:, None]
    fifo = av.AudioFifo()
    packed = tone.T.astype(np.float32).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, "flt", context.layout.name)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    for part in av.AudioResampler(context.format, context.layout.name, rate).resample(frame):
        fifo.write(part)
    while (part := fifo.read(size)) or (part := fifo.read(0)):
        file.mux(sound.encode(part))
    file.mux(sound.encode(None))


def heard(path: Path) -> tuple[str, list[float]]:
    """The sound's layout, and how loud each channel is."""
    with av.open(str(path)) as file:
        context = file.streams.audio[0].codec_context
        resampler = av.AudioResampler("flt", context.layout.name, RATE)
        parts = [part.to_ndarray()[0] for one in file.decode(audio=0) for part in resampler.resample(one)]
        samples = np.concatenate(parts).reshape(-1, context.layout.nb_channels)
        return context.layout.name, [float(level) for level in samples.std(axis=0)]


@pytest.mark.parametrize(
    ("suffix", "codec", "layout"),
    [
        ("avi", "pcm_s16le", "stereo"),
        ("mkv", "pcm_s16le", "stereo"),
        ("mkv", "pcm_s24le", "5.1"),
        ("mkv", "pcm_f32le", "7.1"),
    ],
)
def test_sound_that_only_counts_its_channels_is_copied_to_mp4(
    tmp_path: Path, suffix: str, codec: str, layout: str
) -> None:
    source = film(tmp_path / f"in.{suffix}", codec, layout, "Words" if suffix == "mkv" else "")
    output = tmp_path / "out.mp4"
    assert run(source, output).dropped == ()
    with av.open(str(output)) as file:
        assert file.streams.audio[0].codec_context.name == codec
        assert len(file.streams.subtitles) == (suffix == "mkv")
    assert heard(output) == (layout, heard(source)[1])


def test_channels_without_a_usual_place_are_encoded_again_or_named(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", "pcm_s16le", "7.1.4", "Words")
    output = tmp_path / "out.mp4"
    run(source, output)
    with av.open(str(output)) as file:
        assert len(file.streams.audio) == len(file.streams.subtitles) == 1


@pytest.mark.parametrize("codec", ["ac3", "eac3", "flac"])
def test_side_channels_stay_six_in_webm(tmp_path: Path, codec: str) -> None:
    """Opus knows no 5.1(side), which is what these codecs call it."""
    source = film(tmp_path / "in.mkv", codec, "5.1(side)")
    assert heard(source)[0] == "5.1(side)"
    output = tmp_path / "out.webm"
    assert run(source, output).dropped == ()
    layout, loud = heard(output)
    assert layout == "5.1"
    assert loud[:3] + loud[4:] == pytest.approx([*heard(source)[1][:3], *heard(source)[1][4:]], rel=0.15)


def test_channels_that_are_folded_are_told(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", "pcm_s16le", "7.1.4")
    with av.open(str(source)) as file:
        found = plan_tracks(file, 0, container_for(Path("out.webm")))
    assert found.changed == ("audio track 1 (pcm_s16le) as libopus, its 12 channels as stereo",)


def test_a_low_frequency_channel_is_not_lost_where_its_layout_is(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", "flac", "2.1")
    output = tmp_path / "out.webm"
    assert run(source, output).dropped == ()
    layout, loud = heard(output)
    assert layout == "5.1"
    assert loud[3] > 0.01


@pytest.mark.parametrize("second", [("mono", 48_000), ("stereo", 44_100), ("5.1(side)", 32_000)])
def test_sound_that_changes_within_the_film_is_encoded_to_its_end(
    tmp_path: Path, second: tuple[str, int]
) -> None:
    """Two recordings, one after another, as a broadcast goes from one programme to the next."""
    layout, rate = second
    source = tmp_path / "in.ts"
    parts = [film(tmp_path / "1.ts", "ac3", "stereo"), film(tmp_path / "2.ts", "ac3", layout, rate=rate)]
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    output = tmp_path / "out.webm"
    report = run(source, output)
    assert report.dropped == () and report.warnings == ()
    with av.open(str(output)) as file:
        frames = list(file.decode(audio=0))
    assert frames[0].layout.name == "stereo"
    end = float(frames[-1].pts * frames[-1].time_base)
    assert end == pytest.approx(2, abs=0.15)
    late = [abs(one.to_ndarray()).max() for one in frames if one.pts * one.time_base > 1.3]
    assert max(late) > 0.02


def test_sound_of_which_nothing_decodes_is_named(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", "ac3", "stereo")
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as file:
        for packet in file.demux(audio=0):
            if packet.size:
                place = data.find(bytes(packet))
                data[place : place + packet.size] = bytes(packet.size)
    source.write_bytes(data)
    report = run(source, tmp_path / "out.webm")
    assert any("of which nothing decodes" in name for name in report.dropped)


def test_a_track_that_is_silent_within_an_excerpt_is_not_lost(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", "ac3", "stereo", "Words")
    assert run(source, tmp_path / "out.mp4", excerpt=Excerpt(Fraction(4, 5))).dropped == ()


def test_one_track_that_does_not_fit_is_looked_for_before_others_go() -> None:
    names = {1: "audio track 1", 2: "audio track 2", 3: "subtitle track 3"}
    tracks = TrackPlan(((1, Way.COPY), (2, Way.COPY), (3, Way.ENCODE)), (), names=names)
    tried = [found.ways for found in fewer_and_fewer(tracks)]
    assert tried == [
        tracks.ways,
        ((1, Way.COPY), (2, Way.COPY)),
        ((1, Way.ENCODE), (2, Way.COPY), (3, Way.ENCODE)),
        ((2, Way.COPY), (3, Way.ENCODE)),
        ((1, Way.COPY), (2, Way.ENCODE), (3, Way.ENCODE)),
        ((1, Way.COPY), (3, Way.ENCODE)),
        (),
    ]
    assert [found.ways for found in fewer_and_fewer(TrackPlan((), ()))] == [()]
