"""Tracks of data beside the picture, as recorders and cameras write them: kept where they can be, else named."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from support.films import Making, make_film

from edge_sr.upscale.run.report import Report
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale
from edge_sr.video.encode.containers import CONTAINERS
from edge_sr.video.film.tracks import plan_tracks
from edge_sr.video.opening import open_input

TAG = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)


def run(source: Path, output: Path) -> Report:
    plain: dict[str, Any] = {"model": "diinn-nano", "backend": "onnxruntime", "precision": "fp32"}
    return upscale(Request(str(source), output, scale=Fraction(1), **plain))


def with_data(path: Path, codec: str) -> Path:
    """A film with a track of data, a packet every 40 ms."""
    plain = make_film(path.with_name("plain.mp4"), Making(frames=5, audio=("eng",)))
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        twins = {s.index: target.add_stream_from_template(s, opaque=True) for s in source.streams}
        data: Any = target.add_data_stream(codec)
        target.start_encoding()
        for packet in source.demux():
            if packet.size:
                packet.stream = twins[packet.stream_index]
                target.mux(packet)
        for number in range(5):
            packet = av.Packet(TAG)
            packet.stream, packet.time_base = data, Fraction(1, 1000)
            packet.pts = packet.dts = 40 * number
            packet.duration = 40
            target.mux(packet)
    return path


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov"])
def test_the_tags_of_a_live_stream_do_not_spoil_the_film(tmp_path: Path, name: str) -> None:
    source = with_data(tmp_path / "in.ts", "timed_id3")
    assert run(source, tmp_path / name).dropped == ("data track 2 (timed_id3)",)
    with av.open(str(tmp_path / name)) as file:
        assert sum(1 for _ in file.decode(file.streams.video[0])) == 5
        assert len(file.streams.audio) == 1


def test_telemetry_is_kept_by_mp4(tmp_path: Path) -> None:
    source = with_data(tmp_path / "in.mp4", "bin_data")
    assert run(source, tmp_path / "out.mp4").dropped == ()
    with av.open(str(tmp_path / "out.mp4")) as file:
        packets = [bytes(packet) for packet in file.demux(file.streams.data[0]) if packet.size]
    assert packets == [TAG] * 5


def test_of_chapters_no_packet_is_waited_for(tmp_path: Path) -> None:
    """QuickTime has them in a track of data, which FFmpeg hands on no packet of."""
    making = Making(frames=50, audio=("eng",), chapters=(("One", 0, 1000), ("Two", 1000, 2000)))
    with open_input(str(make_film(tmp_path / "in.mp4", making))) as source:
        assert source.streams.data
        plan_tracks(source, 0, CONTAINERS[0])
        assert sum(bool(packet.size) for packet in source.demux()) > 50


@pytest.mark.parametrize(("handler", "is_lost"), [(b"MetadataHand", True), (b"TimeCodeHand", False)])
def test_what_a_camera_did_is_more_than_a_time_code(tmp_path: Path, handler: bytes, is_lost: bool) -> None:
    """Sony's track of it begins with a time code, by which FFmpeg knows it; here a sound track is made one."""
    film = make_film(tmp_path / "plain.mp4", Making(frames=5, audio=("eng", "eng"))).read_bytes()
    last = film.rfind(b"SoundHandler")
    film = film[:last] + handler + film[last + len(handler) :]
    for old, new in ((b"soun", b"meta"), (b"mp4a", b"rtmd")):
        place = film.rfind(old)
        film = film[:place] + new + film[place + 4 :]
    (tmp_path / "in.mp4").write_bytes(film)
    lost = run(tmp_path / "in.mp4", tmp_path / "out.mkv").dropped
    assert len(lost) == is_lost and all(name.startswith("data track 2") for name in lost)
