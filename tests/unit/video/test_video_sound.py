"""Sound that is encoded again: whatever a damaged track comes to, it ends soon and stays at its time."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.upscaling import run

from edge_sr.video.mux.sound import SoundConverter, add_sound

RATE, EACH = 8000, 800
DAY = 86_400


def _encoded(path: Path, level: float, *times: int) -> list[float]:
    """When AAC's packets begin that are made of float samples of ``level``, portions of 0.1 s at ``times`` in ms."""
    wave = np.random.default_rng(0).standard_normal(EACH).astype(np.float32) * np.float32(level)
    with av.open(str(path), "w") as file:
        sound: Any = file.add_stream("pcm_f32le", rate=RATE, layout="mono")
        for time in times:
            packet = av.Packet(wave.tobytes())
            packet.pts = packet.dts = time
            packet.duration, packet.time_base, packet.stream = 100, Fraction(1, 1000), sound
            file.mux(packet)
    with av.open(str(path)) as source, av.open(str(path.with_suffix(".mp4")), "w") as target:
        stream = source.streams.audio[0]
        converter = SoundConverter(stream, add_sound(target, stream, "aac"))
        packets = [packet for packet in source.demux(stream) if packet.size]
        made = [one for packet in [*packets, None] for one in converter(packet)]
        assert converter.lost == 0
        return [float(one.pts * one.time_base) for one in made]


@pytest.mark.parametrize("level", [1e6, 1e20, float("nan"), float("inf")])
def test_samples_beyond_all_bounds_are_encoded(tmp_path: Path, level: float) -> None:
    """As damaged packets decode to: FFmpeg's AAC encoder loops on millions."""
    assert len(_encoded(tmp_path / "loud.mkv", level, 0, 100, 200, 300)) >= 3


def test_a_packet_of_another_day_is_put_there_without_silence_for_all_of_it(tmp_path: Path) -> None:
    day = 40 * DAY * 1000
    times = _encoded(tmp_path / "late.mkv", 0.1, 0, 100, day, day + 100)
    assert len(times) < 20
    assert sum(time < 1 for time in times) >= 2
    assert min(time for time in times if time > 1) == pytest.approx(40 * DAY, abs=0.2)
    assert times[-1] == pytest.approx(40 * DAY + 0.1, abs=0.2)


def test_a_gap_of_seconds_is_silence(tmp_path: Path) -> None:
    times = _encoded(tmp_path / "late.mkv", 0.1, 0, 100, 5000)
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 0.2
    assert times[-1] == pytest.approx(5.1, abs=0.2)


@pytest.mark.parametrize(
    ("codec", "source", "suffix"),
    [
        ("pcm_s16le", "mkv", "mp4"),
        ("pcm_s24le", "mkv", "mov"),
        ("pcm_mulaw", "nut", "mov"),
        ("adpcm_ms", "nut", "mov"),
    ],
)
def test_sound_that_is_copied_keeps_its_gaps(tmp_path: Path, codec: str, source: str, suffix: str) -> None:
    """A tone that stops for 1.5 s: MP4 and MOV write samples of fixed size one upon another."""
    film, rate, size = tmp_path / f"gap.{source}", 8000, 800
    with av.open(str(film), "w") as file:
        picture: Any = file.add_stream("mpeg4", rate=5)
        picture.width, picture.height, picture.pix_fmt = 32, 24, "yuv420p"
        sound: Any = file.add_stream(codec, rate=rate, layout="mono")
        for index in range(15):
            frame = av.VideoFrame(32, 24, "yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 5)
            file.mux(picture.encode(frame))
        size = sound.codec_context.frame_size or size
        for index in [n for n in range(24000 // size) if not 4000 <= n * size < 16000]:
            wave = (np.sin(np.arange(size) * 0.7) * 8000).astype(np.int16)
            tone = av.AudioFrame.from_ndarray(wave[None], "s16", "mono")
            tone.sample_rate, tone.pts, tone.time_base = rate, index * size, Fraction(1, rate)
            for part in av.AudioResampler(sound.codec_context.format, "mono", rate).resample(tone):
                file.mux(sound.encode(part))
        file.mux(picture.encode(None))
    output = tmp_path / f"out.{suffix}"
    assert run(film, output, scale=Fraction(2)).dropped == ()
    loud = _loudness(output)
    assert len(loud) == pytest.approx(24000 // size * size, abs=600)
    assert loud[500:3500].mean() > 0.1
    assert loud[5000:15000].max() < 0.01
    assert loud[17000:22000].mean() > 0.1


def _loudness(path: Path) -> np.ndarray:
    """The samples' absolute values, full scale 1, one upon another as players of MP4 have them."""
    with av.open(str(path)) as file:
        resampler = av.AudioResampler("flt", "mono", 8000)
        frames = [part for frame in file.decode(audio=0) for part in resampler.resample(frame)]
    return np.abs(np.concatenate([frame.to_ndarray()[0] for frame in frames]))
