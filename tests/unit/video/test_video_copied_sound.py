"""Copied sound plays as the film's own did: no more of it, no less."""

from __future__ import annotations

import itertools
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.films import Making, make_film, packets
from support.upscaling import run

RATE = 48000
SAMPLES = 2 * RATE + 1000


def film(path: Path, picture: str, sound: str, samples: str | None = None) -> Path:
    """Two seconds of a film with a tone in the codec ``sound``."""
    with av.open(str(path), "w") as target:
        video: Any = target.add_stream(picture, rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio: Any = target.add_stream(sound, rate=RATE, layout="mono")
        audio.bit_rate = 128_000
        if samples:
            audio.codec_context.format = samples
        for _ in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8)).reformat(format="yuv420p")
            target.mux(video.encode(frame))
        target.mux(video.encode(None))
        tone = (np.sin(np.arange(SAMPLES) * 0.05) * 2**30).astype(np.int32)[None]
        whole = av.AudioFrame.from_ndarray(tone, "s32", "mono")
        whole.sample_rate, whole.pts, whole.time_base = RATE, 0, Fraction(1, RATE)
        resampler = av.AudioResampler(
            audio.codec_context.format, "mono", RATE, frame_size=audio.codec_context.frame_size
        )
        for part in itertools.chain(resampler.resample(whole), resampler.resample(None)):
            target.mux(audio.encode(part))
        target.mux(audio.encode(None))
    return path


def state_length(path: Path) -> None:
    """Puts the exact length into Matroska's header, by which TTA's samples are counted; FFmpeg's muxer rounds it."""
    data = bytearray(path.read_bytes())
    place = data.index(b"\x44\x89\x88") + 3
    data[place : place + 8] = struct.pack(">d", 1000 * SAMPLES / RATE)
    path.write_bytes(data)


def sound_of(path: Path) -> tuple[str, str, np.ndarray]:
    """Codec, format and all samples."""
    with av.open(str(path)) as file:
        context: Any = file.streams.audio[0].codec_context
        parts = [frame.to_ndarray() for frame in file.decode(audio=0)]
        return context.name, context.format.name, np.concatenate(parts, axis=-1)


def cut(path: Path, whole: Path, begin: Fraction) -> Path:
    """``whole`` from ``begin`` on, the sound before it there, and cut away by an edit list."""
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        twins = {s.index: target.add_stream_from_template(s, opaque=True) for s in source.streams}
        for packet in source.demux():
            if not packet.size or (packet.stream.type == "video" and packet.pts * packet.time_base < begin):
                continue
            packet.pts -= int(begin / packet.time_base)
            packet.dts -= int(begin / packet.time_base)
            packet.stream = twins[packet.stream_index]
            target.mux(packet)
    return path


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4"])
def test_sound_that_an_edit_list_cuts_away_stays_away(tmp_path: Path, name: str) -> None:
    whole = make_film(
        tmp_path / "whole.mp4", Making(frames=50, audio=("eng",), options={"g": "1", "bf": "0"})
    )
    source = cut(tmp_path / "in.mp4", whole, Fraction(4, 5))
    assert packets(source, "audio")[0][0][0] < Fraction(-4, 5)
    run(source, tmp_path / name)
    times = [time for time, _ in packets(tmp_path / name, "audio")[0]]
    # What the decoder needs of it stays: one packet, and the one of which a part is heard.
    assert sum(time < 0 for time in times) == 2
    assert times[0] > Fraction(-2 * 1024, 16000)
    assert times[-1] == pytest.approx(packets(source, "audio")[0][-1][0], abs=0.001)


@pytest.mark.parametrize("codec", ["wmav1", "wmav2"])
def test_wma_that_mov_cannot_describe_is_encoded(tmp_path: Path, codec: str) -> None:
    source = film(tmp_path / "in.wmv", "wmv2", codec)
    run(source, tmp_path / "out.mov")
    name, _, sound = sound_of(tmp_path / "out.mov")
    assert name == "aac"
    assert sound.shape[1] / RATE == pytest.approx(2, abs=0.1)
    run(source, tmp_path / "out.mkv")
    before, after = (packets(path, "audio")[0] for path in (source, tmp_path / "out.mkv"))
    assert [data for _, data in after] == [data for _, data in before]


@pytest.mark.parametrize("samples", ["s16", "s32"])
def test_tta_becomes_flac_bit_for_bit(tmp_path: Path, samples: str) -> None:
    source = film(tmp_path / "in.mkv", "libx264", "tta", samples)
    state_length(source)
    run(source, tmp_path / "out.mkv")
    name, form, sound = sound_of(tmp_path / "out.mkv")
    assert (name, form) == ("flac", samples)
    assert sound.shape[1] == SAMPLES
    assert np.array_equal(sound, sound_of(source)[2])


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_the_last_packet_of_sound_without_lengths_is_heard(tmp_path: Path, name: str) -> None:
    source = film(tmp_path / "in.mkv", "libx264", "alac", "s16p")
    run(source, tmp_path / name)
    codec, _, sound = sound_of(tmp_path / name)
    assert codec == "alac"
    assert np.array_equal(sound, sound_of(source)[2])
