"""Streams without a list of their tracks, as recorders write them: what joins mark, and what turns up late."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.films import moving_picture
from support.upscaling import run

from edge_sr.errors import MediaError
from edge_sr.video import opening
from edge_sr.video.film import late_tracks
from edge_sr.video.film.film import Excerpt

PACKET, VIDEO = 188, 256


@pytest.fixture
def recording(samples: Path) -> bytes:
    return (samples / "odd" / "eleven-hours.ts").read_bytes()


def _video_packets(stream: bytes) -> list[int]:
    """Where they begin."""
    places = range(0, len(stream), PACKET)
    return [place for place in places if (stream[place + 1] & 0x1F) << 8 | stream[place + 2] == VIDEO]


def test_a_join_is_no_damage(recording: bytes, tmp_path: Path) -> None:
    joined = tmp_path / "joined.ts"
    joined.write_bytes(recording * 3)
    report = run(joined, tmp_path / "out.mkv", strict=True)
    assert report.frames == 45 and report.warnings == ()


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_lost_packet_is_damage_joined_or_not(
    recording: bytes, tmp_path: Path, share: float, joined: bool
) -> None:
    packets, damaged = _video_packets(recording), tmp_path / "damaged.ts"
    place = packets[round(share * len(packets))]
    lossy = recording[:place] + recording[place + PACKET :]
    damaged.write_bytes(lossy + recording if joined else lossy)
    with pytest.raises(MediaError, match=r"damaged|bad frames"):
        run(damaged, tmp_path / "out.mkv", strict=True)


def test_a_recording_that_broke_off_before_the_next_is_damage(recording: bytes, tmp_path: Path) -> None:
    broken = tmp_path / "broken.ts"
    broken.write_bytes(recording[: _video_packets(recording)[-1]] + recording)
    with pytest.raises(MediaError, match=r"damaged|bad frames"):
        run(broken, tmp_path / "out.mkv", strict=True)


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVD's stream of 16 s whose sound lasts from 4 to 5 s."""
    path = tmp_path_factory.mktemp("late") / "late.vob"
    with av.open(str(path), "w", format="vob") as file:
        video: Any = file.add_stream("mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt, video.bit_rate = 64, 48, "yuv420p", 2_000_000
        sound: Any = file.add_stream("mp2", rate=48000, layout="mono")
        noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
        for index in range(400):
            picture = moving_picture((64, 48), index) // 2 + np.roll(noise, index * 7, 0) // 2
            frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")
            file.mux(video.encode(frame))
            if 100 <= index < 125:
                tone = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), "s16", "mono")
                tone.sample_rate, tone.pts, tone.time_base = 48000, index * 1920, Fraction(1, 48000)
                file.mux(sound.encode(tone))
        file.mux(video.encode(None))
        file.mux(sound.encode(None))
    return path


def test_a_track_beyond_what_is_probed_is_named(
    late: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (opening, late_tracks):
        monkeypatch.setattr(module, "PROBING", {"probesize": "40000", "analyzeduration": "200000"})
    with opening.open_input(str(late)) as film:
        assert len(film.streams) == 1, "FFmpeg found it by itself"
    part = Excerpt(duration=Fraction(1, 5))
    report = run(late, tmp_path / "out.mkv", excerpt=part)
    assert [name for name in report.dropped if "(mp2), which begins too late" in name]
    with pytest.raises(MediaError, match="begins too late"):
        run(late, tmp_path / "strict.mkv", excerpt=part, strict=True)


def test_tracks_that_are_found_are_not_named(late: Path, tmp_path: Path) -> None:
    report = run(late, tmp_path / "out.mkv", excerpt=Excerpt(duration=Fraction(1, 5)))
    assert report.dropped == ()
