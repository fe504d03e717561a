"""Films as live sources: all frames come at their own pace, whatever clocks, sound and pieces do."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.server
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from support.films import Making, make_film
from support.live_sources import items_of

from edge_sr.camera.pacing.clock import LiveTimeline
from edge_sr.camera.pacing.playback import PlaybackPace
from edge_sr.camera.reader import Reader
from edge_sr.video.live import sources
from edge_sr.video.live.address import parse_address
from edge_sr.video.live.arrival import Arrival, Playback
from edge_sr.video.live.sources import SourcePlan

# No B-frames, so that a stream's parts can be put one behind the other.
PLAIN = Making(frames=50, audio=("eng",), options={"tune": "zerolatency", "g": "12"})


@pytest.mark.parametrize(
    ("codec", "name"), [("mpeg2video", "in.ts"), ("mpeg4", "in.mp4"), ("mpeg4", "in.avi")]
)
def test_frames_that_wait_for_others_come_in_the_order_of_display(
    tmp_path: Path, codec: str, name: str
) -> None:
    film = make_film(tmp_path / name, Making(frames=12, codec=codec, options={"bf": "2"}))
    with av.open(str(film)) as file:
        shown = [frame.to_ndarray()[:48] for frame in file.decode(video=0)]
    came = [item for item in items_of(film) if isinstance(item, Arrival)]
    assert all((one.frame.to_ndarray()[:48] == other).all() for one, other in zip(came, shown, strict=True))
    # Of AVI's last frames nothing says when they are shown.
    seconds = [arrival.seconds for arrival in came if arrival.seconds is not None]
    assert {round(later - earlier, 6) for earlier, later in itertools.pairwise(seconds)} == {0.04}


def due(playback: Playback, seconds: list[float], came: list[float] | None = None) -> list[float]:
    """When frames are due by a clock that begins at 1000; ``came``: when each was read, all at once by default."""
    pace = PlaybackPace(playback, None)
    moments = came or [0.0] * len(seconds)
    return [round(pace.due(s, 1000 + at) - 1000, 6) for s, at in zip(seconds, moments, strict=True)]


def test_frames_are_due_at_their_own_spacing() -> None:
    assert due(Playback(), [5.0, 5.04, 5.08]) == [0, 0.04, 0.08]


def test_a_clock_that_goes_back_goes_on_at_the_spacing_before() -> None:
    assert due(Playback(), [5.0, 5.1, 2.0, 2.1]) == [0, 0.1, 0.2, 0.3]


def test_a_gap_is_a_pause_unless_the_clock_may_break() -> None:
    times = [0.0, 0.04, 9.0, 9.04]
    assert due(Playback(), times) == times
    assert due(Playback(jumps=True), times) == [0, 0.04, 0.08, 0.12]
    assert due(Playback(jumps=True), [0.0, 1.0, 2.0, 3.0]) == [0, 0.04, 1.04, 2.04]


def test_a_late_piece_is_played_from_its_first_frame_where_the_source_may_stall() -> None:
    times, came = [0.0, 0.04, 0.08, 0.12], [0.0, 0.0, 3.0, 3.0]
    assert due(Playback(stalls=True), times, came) == [0, 0.04, 3, 3.04]
    assert due(Playback(), times, came) == times


@pytest.mark.parametrize(("stalls", "seconds"), [(False, 0.16), (True, 3.04)])
def test_frames_without_times_follow_each_other_at_the_rate(stalls: bool, seconds: float) -> None:
    pace = PlaybackPace(Playback(stalls=stalls), Fraction(25))
    times = [pace.next_time(1000 + now) for now in (0.0, 0.0, 0.0, 3.0, 3.0)]
    assert times == pytest.approx([0, 0.04, 0.08, seconds - 0.04, seconds])


def test_sound_waits_for_the_picture_where_the_clock_jumps() -> None:
    timeline = LiveTimeline(began=0.0)
    timeline.picture(5.0, 1.0)
    assert timeline.sound(5.0) == pytest.approx(1.0)
    assert timeline.sound(100.0) is None
    timeline.picture(100.0, 1.04)
    assert timeline.sound(5.02) is None
    assert timeline.sound(100.02) == pytest.approx(1.06)


def test_silence_and_bad_interleaving_cost_no_sound() -> None:
    timeline = LiveTimeline(began=0.0)
    timeline.picture(100.0, 0.0)
    assert timeline.sound(104.0) == pytest.approx(4.0)
    timeline.picture(106.0, 6.0)
    assert timeline.sound(106.5) == pytest.approx(6.5)


def shifted(source: Path, path: Path, picture: float, sound: float) -> Path:
    """A copy of the film whose tracks begin so many seconds later."""
    with av.open(str(source)) as film, av.open(str(path), "w") as copy:
        twins = {stream.index: copy.add_stream_from_template(stream) for stream in film.streams}
        packets = [packet for packet in film.demux() if packet.dts is not None]
        later = {"video": picture, "audio": sound}
        for packet in packets:
            ticks = round(later[packet.stream.type] / packet.time_base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            packet.stream = twins[packet.stream.index]
            copy.mux(packet)
    return path


@dataclasses.dataclass
class Read:
    """What a reader gave: how many frames came, those that were not overtaken (a busy machine loses some), packets of
    sound, seconds, and whether it knew the sound."""

    arrived: int
    frames: list[Arrival]
    sounds: int
    seconds: float
    has_sound: bool
    said: list[str]


def read(address: str, seconds: float = 20.0) -> Read:
    """All that comes of the source, at most for so long; what counts has to add up."""
    said: list[str] = []
    reader = Reader(SourcePlan(parse_address(address)), threading.Event(), said.append)
    frames, sounds = [], 0
    reader.start()
    try:
        assert reader.frames.take(10) is not None
        track = reader.sound_track()
        reader.restart_counts()
        began = time.monotonic()
        while not reader.frames.ended and time.monotonic() < began + seconds:
            if (found := reader.frames.take(0.02)) is not None:
                frames.append(found[1])
            while reader.sounds.take(0) is not None:
                sounds += 1
        spent = time.monotonic() - began
        assert reader.arrived == len(frames) + reader.frames.dropped
    finally:
        reader.finish()
    return Read(reader.arrived, frames, sounds, spent, track is not None, said)


def test_a_film_over_a_jump_of_its_clock(tmp_path: Path) -> None:
    first = make_film(tmp_path / "a.ts", PLAIN)
    later = shifted(first, tmp_path / "b.ts", 100, 100)
    joined = tmp_path / "joined.ts"
    for parts in ((first, later), (later, first)):
        joined.write_bytes(b"".join(part.read_bytes() for part in parts))
        found = read(str(joined))
        assert found.arrived == 100
        assert len(found.frames) > 60
        assert 3.5 < found.seconds < 8


@pytest.mark.parametrize(
    ("name", "codec", "rate"), [("raw.h264", "libx264", 50), ("raw.hevc", "libx265", 25)]
)
def test_a_raw_stream_is_played_at_the_rate_in_its_headers(
    tmp_path: Path, name: str, codec: str, rate: int
) -> None:
    made = Making(frames=50, time_base=Fraction(1, rate), codec=codec)
    found = read(str(make_film(tmp_path / name, made)))
    assert found.arrived == 50
    assert len(found.frames) > 30
    assert 48 / rate < found.seconds < 48 / rate + 3
    assert found.frames[-1].seconds == pytest.approx(49 / rate)


@pytest.mark.parametrize(("timed", "playback"), [(1, Playback(stalls=True)), (0, None)])
def test_a_raw_pipe_without_a_rate_comes_at_its_own_pace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timed: int, playback: Playback | None
) -> None:
    options = {"x265-params": f"log-level=error:vui-timing-info={timed}"}
    piped = make_film(tmp_path / "raw.hevc", Making(codec="libx265", options=options))
    with piped.open("rb") as file:
        monkeypatch.setattr(sources, "_pipe", lambda _: (f"pipe:{file.fileno()}", None, {}))
        source = SourcePlan(parse_address("-")).open(threading.Event())
        with contextlib.closing(source):
            assert source.playback == playback


def test_a_film_whose_sound_begins_late_keeps_its_beginning(tmp_path: Path) -> None:
    film = shifted(make_film(tmp_path / "a.mkv", PLAIN), tmp_path / "late.mkv", 0, 1.5)
    found = read(str(film))
    assert found.has_sound
    assert found.sounds > 10
    assert found.arrived == 50
    assert len(found.frames) > 30
    assert found.frames[0].seconds < 0.3
    assert found.seconds < 6


def test_sound_that_begins_too_late_is_told(tmp_path: Path) -> None:
    made = make_film(tmp_path / "a.mkv", dataclasses.replace(PLAIN, frames=110))
    film = shifted(made, tmp_path / "later.mkv", 0, 60)
    found = read(str(film))
    assert not found.has_sound
    assert any("begins too late" in line for line in found.said)
    assert found.arrived == 110


def test_the_last_frame_of_an_interlaced_film_comes_too(tmp_path: Path) -> None:
    film = make_film(tmp_path / "i.mkv", Making(frames=10, interlaced=True))
    assert read(str(film)).arrived == 10


def test_the_rate_is_held_when_the_source_comes_back_quicker(tmp_path: Path) -> None:
    """Ten frames a second need no thinning to fifteen, fifty do."""
    pieces = []
    for rate in (10, 50):
        with av.open(str(tmp_path / f"{rate}.ts"), "w") as container:
            stream = container.add_stream("libx264", rate=rate, options={"tune": "zerolatency"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for _ in range(400):
                container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
            container.mux(stream.encode(None))
        pieces.append((tmp_path / f"{rate}.ts").read_bytes())

    def send(listening: socket.socket) -> None:
        for piece in pieces:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=send, args=(listening,), daemon=True).start()
        address = parse_address(f"tcp://127.0.0.1:{listening.getsockname()[1]}")
        reader = Reader(SourcePlan(address, Fraction(15)), threading.Event(), lambda _: None)
        assert reader.source_rate == 10
        reader.start()
        end = time.monotonic() + 20
        while time.monotonic() < end and not reader.thinned:
            time.sleep(0.02)
        reader.finish()
    assert reader.source_rate == 50
    assert reader.thinned > 0


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Tests say only what fails."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_a_film_over_http_is_played_from_its_first_frame(tmp_path: Path) -> None:
    for name in ("film.mp4", "film.ts"):
        make_film(tmp_path / name, PLAIN)
        with served(tmp_path) as place:
            found = read(f"{place}/{name}")
        assert found.arrived >= 49, name
        assert len(found.frames) > 30, name
        assert 1.5 < found.seconds < 6


def test_a_live_playlists_piece_is_played_and_not_swallowed(tmp_path: Path) -> None:
    make_film(tmp_path / "piece.ts", dataclasses.replace(PLAIN, frames=75))
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:7\n"
    (tmp_path / "live.m3u8").write_text(f"{head}#EXTINF:3.0,\npiece.ts\n")
    with served(tmp_path) as place:
        found = read(f"{place}/live.m3u8", seconds=4)
    assert len(found.frames) > 45
    assert found.frames[-1].captured - found.frames[0].captured > 2.4
