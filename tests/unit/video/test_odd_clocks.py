"""Films whose clocks leap by days, or whose last frame says that it lasts for weeks."""

from __future__ import annotations

import itertools
import wave
from fractions import Fraction
from pathlib import Path

import av
import pytest
from support.films import Making, frame_times, make_film, moving_picture, packets
from support.upscaling import run

from edge_sr.video.mux.arrival import pictures_in

MONTH = 30 * 24 * 3600 * 1000


def leaping(path: Path, begins: int, by: int) -> Path:
    """An FLV whose tags from ``begins`` on are ``by`` later (milliseconds)."""
    data = bytearray(make_film(path, Making(audio=("eng",), options={"bf": "0"})).read_bytes())
    place = 13
    while place + 11 < len(data):
        time = int.from_bytes(data[place + 4 : place + 7], "big") | data[place + 7] << 24
        if time >= begins:
            time += by
            data[place + 4 : place + 7] = (time & 0xFFFFFF).to_bytes(3, "big")
            data[place + 7] = time >> 24
        place += 15 + int.from_bytes(data[place + 1 : place + 4], "big")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_clock_that_leaps_by_a_month_goes_on(tmp_path: Path, name: str) -> None:
    source = leaping(tmp_path / "in.flv", 80, MONTH)
    assert run(source, tmp_path / name).frames == 12
    times = frame_times(tmp_path / name)
    assert [time - times[0] for time in times] == pytest.approx(
        [index / 25 for index in range(12)], abs=0.002
    )
    sound = [time for time, _ in packets(tmp_path / name, "audio")[0]]
    assert all(later - earlier < 0.1 for earlier, later in itertools.pairwise(sound))


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_last_frame_of_weeks(tmp_path: Path, name: str) -> None:
    film, source = make_film(tmp_path / "film.mkv", Making(frames=5)), tmp_path / "in.mkv"
    with av.open(str(film)) as whole, av.open(str(source), "w") as target:
        twin = target.add_stream_from_template(whole.streams.video[0], opaque=True)
        for packet in whole.demux(video=0):
            if packet.size:
                packet.stream = twin
                packet.duration = MONTH if packet.pts == 160 else packet.duration
                target.mux(packet)
    assert run(source, tmp_path / name).frames == 5


@pytest.mark.parametrize("codec", ["x264", "svt-av1"])
def test_a_high_speed_film_keeps_its_rate(tmp_path: Path, codec: str) -> None:
    """It was taken for one of 25 frames a second; SVT-AV1 refuses more than 240."""
    source = tmp_path / "in.mp4"
    with av.open(str(source), "w") as film:
        stream = film.add_stream("libx264", rate=480)
        stream.width, stream.height = 64, 48
        for index in range(6):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(moving_picture((64, 48), index))))
        film.mux(stream.encode(None))
    assert run(source, tmp_path / "out.mkv", codec=codec).frames == 6
    with av.open(str(tmp_path / "out.mkv")) as film:
        # PyAV 17 writes no rate, and FFmpeg guesses a higher one from times in milliseconds.
        rate = film.streams.video[0].base_rate
        assert rate is not None and rate >= 480


def test_a_file_without_a_picture_holds_none(tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    assert pictures_in([sound]) == 0


def leading(folder: Path) -> Path:
    """A transport stream that begins with a keyframe, two frames that are shown before it, and sound after it."""
    options = {
        "x265-params": "log-level=error:open-gop=0:keyint=12:min-keyint=12:radl=2:bframes=4:b-adapt=0:scenecut=0"
    }
    whole = make_film(
        folder / "whole.mkv", Making(frames=24, codec="libx265", options=options, audio=("eng",))
    )
    path = folder / "in.ts"
    with av.open(str(whole)) as film, av.open(str(path), "w") as target:
        picture = target.add_stream_from_template(film.streams.video[0])
        sound = target.add_stream("mp2", rate=48000)
        found = [packet for packet in film.demux(video=0) if packet.size]
        begins = [index for index, packet in enumerate(found) if packet.is_keyframe][1]
        first = found[begins].pts or 0
        for packet in found[begins:]:
            packet.stream = picture
            target.mux(packet)
        silent = av.AudioFrame(format="s16", layout="stereo", samples=1152)
        silent.sample_rate, silent.pts, silent.time_base = 48000, 48 * (first + 200), Fraction(1, 48000)
        target.mux(sound.encode(silent))
        target.mux(sound.encode(None))
    return path


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_frames_that_are_shown_before_the_first_keyframe_are_kept(tmp_path: Path, name: str) -> None:
    source = leading(tmp_path)
    shown, heard = frame_times(source), packets(source, "audio")[0][0][0]
    assert shown[0] < packets(source, "video")[0][0][0]
    run(source, tmp_path / name)
    times = frame_times(tmp_path / name)
    assert times == [time - shown[0] for time in shown]
    assert packets(tmp_path / name, "audio")[0][0][0] == pytest.approx(heard - shown[0], abs=0.001)
