"""The source's sound: copied while it is what it was, and told about wherever it is not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edge_sr.camera.pictures import sink_colour
from edge_sr.camera.reader import Reader
from edge_sr.camera.writer import SinkPlan
from edge_sr.video.live.address import parse_address
from edge_sr.video.live.outlets import plan_outlet
from edge_sr.video.live.sinks import PictureForm, Sink
from edge_sr.video.live.sound import SoundTrack
from edge_sr.video.live.sources import SourcePlan

SIZE = (64, 48)
FORM = PictureForm(SIZE, Fraction(25), sink_colour(SIZE))


def film(path: Path, codec: str, rate: int = 48000) -> Path:
    """Two seconds of grey with a tone."""
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "12"})
        picture.width, picture.height, picture.pix_fmt = *SIZE, "yuv420p"
        sound = container.add_stream(codec, rate=rate, layout="mono")
        container.start_encoding()
        size = sound.codec_context.frame_size or 1024
        for _ in range(50):
            container.mux(picture.encode(av.VideoFrame(*SIZE, "yuv420p")))
        for start in range(0, 2 * rate, size):
            wave = (8000 * np.sin(np.arange(start, start + size) / 20)).astype(np.int16)[None]
            samples = av.AudioFrame.from_ndarray(wave, "s16", "mono")
            samples.sample_rate, samples.pts, samples.time_base = rate, start, Fraction(1, rate)
            for part in av.AudioResampler(sound.format, "mono", rate).resample(samples):
                container.mux(sound.encode(part))
        container.mux(picture.encode(None))
        container.mux(sound.encode(None))
    return path


def packets(path: Path) -> tuple[SoundTrack, list[av.Packet]]:
    """The film's sound, once the film is closed."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        found = [packet for packet in container.demux(stream) if packet.size]
        return SoundTrack(stream, bytes(found[0])), found


def copied(sink: Sink, found: list[av.Packet]) -> None:
    for number in range(50):
        sink.write(av.VideoFrame(*SIZE, "yuv420p"), number / 25)
    for packet in found:
        sink.write_sound(packet, float(packet.pts * packet.time_base))
    sink.close()


def samples(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", 48000)
        parts = [
            part.to_ndarray()
            for frame in container.decode(container.streams.audio[0])
            for part in resampler.resample(frame)
        ]
    return np.concatenate(parts, axis=1)[0]


@pytest.mark.parametrize(
    ("source", "codec"), [("a.ts", "aac"), ("a.mkv", "aac"), ("a.mkv", "flac"), ("a.ts", "mp2")]
)
def test_sound_is_copied_again_and_again_once_its_source_is_gone(
    tmp_path: Path, source: str, codec: str
) -> None:
    track, found = packets(film(tmp_path / source, codec))
    for name in ("first.mkv", "second.mkv"):
        plan = SinkPlan(plan_outlet(parse_address(str(tmp_path / name)), "x264", False), FORM, track)
        copied(plan.open(pytest.fail), found)
        # What lies before the first picture is not copied.
        made, wanted = (samples(tmp_path / film)[-80_000:] for film in (name, source))
        np.testing.assert_allclose(made, wanted, atol=0.02)


@pytest.mark.parametrize(
    ("source", "codec", "name"),
    [("a.mkv", "aac", "out.webm"), ("a.mov", "pcm_mulaw", "out.ts"), ("a.mkv", "flac", "out.ts")],
)
def test_sound_that_the_sink_cannot_hold_is_told(tmp_path: Path, source: str, codec: str, name: str) -> None:
    """MPEG-TS takes any sound, and makes data of it that nobody plays."""
    track, found = packets(film(tmp_path / source, codec))
    outlet = plan_outlet(parse_address(str(tmp_path / name)), None, False)
    said: list[str] = []
    sink = SinkPlan(outlet, FORM, track).open(said.append)
    assert not sink.has_sound
    assert len(said) == 1
    assert f"{name} cannot hold the source's sound ({codec}, 48000 Hz" in said[0]
    copied(sink, found)


@pytest.mark.parametrize("codec", ["aac", "ac3", "eac3", "libmp3lame", "libopus", "mp2"])
def test_sound_that_a_transport_stream_holds_is_found_in_it(tmp_path: Path, codec: str) -> None:
    track, found = packets(film(tmp_path / "a.mkv", codec))
    outlet = plan_outlet(parse_address(str(tmp_path / "out.ts")), None, False)
    copied(SinkPlan(outlet, FORM, track).open(pytest.fail), found)
    with av.open(str(tmp_path / "out.ts")) as made:
        assert [stream.type for stream in made.streams] == ["video", "audio"]


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.mark.parametrize(("codec", "rate"), [("mp2", 32000), ("aac", 44100)])
def test_other_sound_after_a_break_is_left_out(
    tmp_path: Path, sender: socket.socket, codec: str, rate: int
) -> None:
    first, other = film(tmp_path / "a.ts", "aac"), film(tmp_path / "b.ts", codec, rate)
    pieces = [path.read_bytes() for path in (first, other, first)]

    def send() -> None:
        for piece in pieces:
            connection, _ = sender.accept()
            with connection:
                connection.sendall(piece)

    threading.Thread(target=send, daemon=True).start()
    said: list[str] = []
    address = f"tcp://127.0.0.1:{sender.getsockname()[1]}"
    reader = Reader(SourcePlan(parse_address(address)), threading.Event(), said.append)
    reader.start()
    heard: dict[int, int] = {}
    end = time.monotonic() + 30
    while time.monotonic() < end and heard.get(3, 0) < 50:
        while (found := reader.sounds.take(0.02)) is not None:
            heard[found[0]] = heard.get(found[0], 0) + 1
    reader.finish()
    assert set(heard) == {1, 3}
    assert sum("left out while it is" in line for line in said) == 1
