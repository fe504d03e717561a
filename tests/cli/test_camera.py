"""``edge-sr camera`` as a process, over real loopback streams that FFmpeg makes."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.calling import Command, heard

from edge_sr.video.live.address import parse_address
from edge_sr.video.live.arrival import Arrival
from edge_sr.video.live.sources import SourcePlan

# What waits for cameras and clients is one worker's, while others compute.
pytestmark = pytest.mark.xdist_group("live")
RTSP_SERVER = Path(__file__).parents[1] / "support" / "rtsp_server.py"
KEYS = {
    "frames_in",
    "frames_out",
    "dropped",
    "reused_tiles",
    "scale_changes",
    "reconnects",
    "latency_ms",
    "fps",
}
FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg program to send with")


def start(*arguments: str, **more: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "edge_sr", "camera", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def camera(*arguments: str, expected: int = 0) -> tuple[dict[str, Any], str]:
    """The run's JSON and what it said."""
    process = start(*arguments, "--model", "diinn-nano", "--json")
    out, err = process.communicate(timeout=120)
    assert process.returncode == expected, err.decode()
    assert "Traceback" not in err.decode()
    return (json.loads(out) if out else {}), err.decode()


def refused(code: int, *arguments: str) -> str:
    """The one line that a refusal says."""
    return one_line(camera(*arguments, expected=code)[1])


@pytest.fixture
def refused_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The same in this process, of what is refused before anything is opened."""
    command = Command("camera", monkeypatch, capsys)

    def said(code: int, *arguments: str) -> str:
        answer = command(*arguments, "--model", "diinn-nano", "--json")
        assert answer.code == code, answer.err
        return one_line(answer.err)

    return said


def one_line(said: str) -> str:
    said = "".join(line for line in said.splitlines(keepends=True) if not line.startswith("note: "))
    assert said.startswith("edge-sr: ") and said.count("\n") == 1, said
    return said


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of 96 x 64 at 25 frames a second, with sound."""
    path = tmp_path_factory.mktemp("live") / "film.ts"
    write_film(path, (96, 64), 100)
    return path


def write_film(path: Path, size: tuple[int, int], frames: int) -> None:
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "12"})
        picture.width, picture.height, picture.pix_fmt = *size, "yuv420p"
        sound = container.add_stream("aac", rate=48000, layout="mono")
        wave = (0.1 * np.sin(np.arange(1920) / 20)).astype(np.float32).reshape(1, -1)
        ground = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        for number in range(frames):
            ground[10:20, 10:20] = number * 2 % 256
            container.mux(picture.encode(av.VideoFrame.from_ndarray(ground, format="rgb24")))
            samples = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            samples.sample_rate, samples.pts, samples.time_base = 48000, number * 1920, Fraction(1, 48000)
            container.mux(sound.encode(samples))
        container.mux(picture.encode(None))
        container.mux(sound.encode(None))


@contextlib.contextmanager
def sender(film: Path, *target: str) -> Iterator[subprocess.Popen[bytes]]:
    """FFmpeg, sending the film over and over at its own pace."""
    assert FFMPEG is not None
    command = [FFMPEG, "-v", "error", "-re", "-stream_loop", "-1", "-i", str(film), "-c", "copy", *target]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def contents(path: Path) -> tuple[int, tuple[int, int], int]:
    """Pictures, their size, and packets of sound."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        size = stream.width, stream.height
        frames = sounds = 0
        for packet in container.demux():
            frames += len(packet.decode()) if packet.stream is stream else 0
            sounds += packet.stream.type == "audio" and packet.size > 0
    return frames, size, sounds


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_a_film_at_its_own_pace_becomes_a_file_with_its_sound(
    film: Path, tmp_path: Path, suffix: str
) -> None:
    target = tmp_path / f"out.{suffix}"
    report, _ = camera(str(film), "-o", str(target), "--scale", "1.5", "--duration", "2")
    assert set(report) >= KEYS
    assert set(report["latency_ms"]) == {"p50", "p95", "p99"}
    assert report["frames_in"] == report["frames_out"] + report["dropped"]
    frames, size, sounds = contents(target)
    assert size == (144, 96) == tuple(report["output_size"])
    assert frames == report["frames_out"] + report["repeated"] > 5
    assert sounds > 10


def test_the_end_of_a_film_is_the_end(film: Path, tmp_path: Path) -> None:
    report, _ = camera(str(film), "-o", str(tmp_path / "out.mkv"), "--size", "192x128")
    assert report["reconnects"] == 0
    assert 2 < report["seconds"] < 60


def test_still_tiles_are_reused(film: Path, tmp_path: Path) -> None:
    report, _ = camera(
        str(film), "-o", str(tmp_path / "o.mkv"), "--scale", "2", "--still-threshold", "40", "--duration", "2"
    )
    assert report["reused_tiles"] > 0


@needs_ffmpeg
def test_udp_in_udp_out(film: Path, tmp_path: Path) -> None:
    source, target = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    kept = tmp_path / "kept.mkv"
    record = [
        str(FFMPEG),
        "-v",
        "error",
        "-i",
        f"udp://127.0.0.1:{target}",
        "-t",
        "2",
        "-c",
        "copy",
        str(kept),
    ]
    with sender(film, "-f", "mpegts", f"udp://127.0.0.1:{source}"), subprocess.Popen(record) as recorder:
        report, _ = camera(
            f"udp://127.0.0.1:{source}", "-o", f"udp://127.0.0.1:{target}", "--scale", "2", "--fps", "12",
            "--duration", "8",
        )  # fmt: skip
        try:
            recorder.wait(timeout=30)
        finally:
            # Without enough of the stream it would wait for more for ever.
            recorder.kill()
    assert report["frames_out"] > 10
    assert report["thinned"] > 10
    assert contents(kept)[1] == (192, 128)


@needs_ffmpeg
def test_lost_datagrams_are_survived(film: Path, tmp_path: Path) -> None:
    source, target = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    kept = tmp_path / "kept.mkv"
    with lossy_relay(source, target, share=0.03), sender(film, "-f", "mpegts", f"udp://127.0.0.1:{source}"):
        report, _ = camera(f"udp://127.0.0.1:{target}", "-o", str(kept), "--scale", "2", "--duration", "5")
    assert report["frames_out"] > 20
    assert report["reconnects"] == 0
    assert contents(kept)[0] > 20


@contextlib.contextmanager
def lossy_relay(source: int, target: int, share: float) -> Iterator[None]:
    """Passes datagrams on, all but ``share`` of them."""
    noise, stop = np.random.default_rng(0), threading.Event()

    def relay() -> None:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inlet,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outlet,
        ):
            inlet.bind(("127.0.0.1", source))
            inlet.settimeout(0.2)
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    datagram = inlet.recv(65536)
                    if noise.random() > share:
                        outlet.sendto(datagram, ("127.0.0.1", target))

    thread = threading.Thread(target=relay)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@needs_ffmpeg
def test_a_source_that_goes_away_is_found_again_and_the_sink_lives_on(film: Path, tmp_path: Path) -> None:
    port = free_port()
    served = tmp_path / "served"
    served.mkdir()
    playlist = f"http://127.0.0.1:{port}/live.m3u8"
    hls = ["-f", "hls", "-hls_time", "1", "-hls_list_size", "4", "-hls_flags", "delete_segments"]
    target = tmp_path / "out.mkv"
    with sender(film, *hls, str(served / "live.m3u8")):
        _wait_for(served / "live.m3u8")
        server = serve_folder(served, port)
        process = start(
            playlist, "-o", str(target), "--scale", "2", "--model", "diinn-nano", "--duration", "40"
        )
        assert b"live:" in heard(process.stderr)
        time.sleep(1)
        server.shutdown()
        server.server_close()
        assert b"connecting again" in heard(process.stderr)
        server = serve_folder(served, port)
        assert b"is back" in heard(process.stderr)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=30)
        server.shutdown()
        server.server_close()
    assert process.returncode == 130
    assert f"{target} plays what was written so far".encode() in said
    assert b"1 reconnects" in out
    assert contents(target)[0] > 10


def serve_folder(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Tests say only what fails."""


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.05)


@needs_ffmpeg
def test_rtsp_push_arrives(film: Path, tmp_path: Path) -> None:
    port, kept = free_port(), tmp_path / "kept.mkv"
    address = f"rtsp://127.0.0.1:{port}/out"
    listen = [str(FFMPEG), "-v", "error", "-rtsp_flags", "listen", "-i", address, "-c", "copy", str(kept)]
    with subprocess.Popen(listen) as listener:
        time.sleep(1.0)
        report, _ = camera(str(film), "-o", address, "--scale", "2", "--duration", "3")
        listener.wait(timeout=30)
    assert report["frames_out"] > 5
    assert contents(kept)[1] == (192, 128)


def gstreamer_python() -> str | None:
    """A Python that has the bindings of GStreamer's RTSP server and H.264 encoder: often only the system's."""
    probe = "import gi; [gi.require_version(n, '1.0') for n in ('Gst', 'GstRtsp', 'GstRtspServer')]"
    probe += "; from gi.repository import Gst; Gst.init(None); assert Gst.ElementFactory.find('x264enc')"
    for name in (sys.executable, "/usr/bin/python3"):
        if Path(name).exists() and subprocess.run([name, "-c", probe], capture_output=True).returncode == 0:
            return name
    return None


@contextlib.contextmanager
def rtsp_camera(port: int) -> Iterator[None]:
    python = gstreamer_python()
    assert python is not None
    server = subprocess.Popen([python, str(RTSP_SERVER), str(port)])
    end = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        assert time.monotonic() < end
        time.sleep(0.05)
    try:
        yield
    finally:
        server.kill()
        server.wait()


@pytest.mark.skipif(gstreamer_python() is None, reason="no Python with GStreamer's RTSP server")
def test_an_rtsp_camera_that_is_killed_three_times_comes_back(tmp_path: Path) -> None:
    port, target = free_port(), tmp_path / "out.mkv"
    with rtsp_camera(port):
        process = start(
            f"rtsp://user:sesame@127.0.0.1:{port}/cam", "-o", str(target), "--scale", "2", "--json",
            "--model", "diinn-nano",
        )  # fmt: skip
        said = heard(process.stderr)
        assert b"96x64 to 192x128" in said
    for _ in range(3):
        said += heard(process.stderr)
        with rtsp_camera(port):
            back = heard(process.stderr)
            assert b"is back" in back
            said += back
            time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, rest = process.communicate(timeout=30)
    assert b"sesame" not in said + rest
    report = json.loads(out)
    assert report["reconnects"] == 3
    assert report["repeated"] > 0
    assert contents(target)[0] == report["frames_out"] + report["repeated"]


@pytest.mark.skipif(gstreamer_python() is None, reason="no Python with GStreamer's RTSP server")
def test_an_rtsp_camera_that_sends_by_udp_alone() -> None:
    port = free_port()
    with rtsp_camera(port):
        plan = SourcePlan(parse_address(f"rtsp://127.0.0.1:{port}/udp"))
        with contextlib.closing(plan.open(threading.Event())) as source:
            assert isinstance(next(iter(source)), Arrival)


def test_a_gstreamer_pipeline(tmp_path: Path) -> None:
    pytest.importorskip("gi")
    pipeline = "gst:videotestsrc is-live=true ! video/x-raw,width=98,height=64,framerate=15/1"
    report, _ = camera(pipeline, "-o", str(tmp_path / "o.mkv"), "--scale", "2", "--duration", "2")
    assert report["input_size"] == [98, 64]
    assert report["frames_out"] > 5
    assert "nonsense" in refused(4, "gst:nonsense", "-o", str(tmp_path / "n.mkv"), "--scale", "2")
    assert refused(4, "csi://0", "-o", str(tmp_path / "n.mkv"), "--scale", "2")


def test_a_pipe_in_and_a_pipe_out(film: Path, tmp_path: Path) -> None:
    for more, expected in (((), b" frames, 96x64 to 192x128, "), (("--json",), b'"output_size": [192, 128]')):
        words = ("-", "-o", "-", "--scale", "2", "--model", "diinn-nano", *more)
        process = start(*words, stdin=subprocess.PIPE)
        out, said = process.communicate(film.read_bytes(), timeout=60)
        assert process.returncode == 0, said
        target = tmp_path / "out.y4m"
        target.write_bytes(out)
        frames, size, _ = contents(target)
        assert frames > 5
        assert size == (192, 128)
        assert expected in said
        assert not more or json.loads(said.splitlines()[-1])["frames_out"] <= frames


def test_a_reader_of_the_pipe_who_leaves_ends_it_cleanly(film: Path) -> None:
    process = start(str(film), "-o", "-", "--scale", "2", "--model", "diinn-nano")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(100)
    process.stdout.close()
    said = process.stderr.read().decode()
    assert process.wait(60) == 0, said
    assert "whoever read the frames left after" in said
    assert " frames, 96x64 to 192x128, " in said


def test_raw_video_from_a_pipe(tmp_path: Path) -> None:
    process = start(
        "pipe:?size=96x64&rate=25&format=rgb24", "-o", str(tmp_path / "o.mkv"), "--scale", "2", "--json",
        "--model", "diinn-nano", stdin=subprocess.PIPE,
    )  # fmt: skip
    out, said = process.communicate(bytes(96 * 64 * 3 * 10), timeout=60)
    assert process.returncode == 0, said
    assert json.loads(out)["input_size"] == [96, 64]


def test_fewer_frames_are_taken_where_no_scale_is_quick_enough(tmp_path: Path) -> None:
    process = start(
        "pipe:?size=160x90&rate=240", "-o", str(tmp_path / "o.mkv"), "--scale", "2", "--fps", "240", "--json",
        stdin=subprocess.PIPE,
    )  # fmt: skip
    noise = np.random.default_rng(0).integers(0, 256, 160 * 90 * 3 * 720, dtype=np.uint8)
    out, said = process.communicate(noise.tobytes(), timeout=120)
    assert process.returncode == 0, said
    report = json.loads(out)
    assert report["every"] > 1
    assert report["held_fps"] == pytest.approx(240 / report["every"], abs=1e-3)
    assert 0 < report["skipped"] <= report["dropped"]
    assert 1 <= report["scale"] < 2
    assert b"no scale is quick enough: one frame in" in said


def plays(path: Path) -> bool:
    """Whether a file that is still being written has a picture already."""
    try:
        return contents(path)[0] >= 1
    except (av.error.FFmpegError, OSError, IndexError):
        return False


def test_what_a_killed_run_has_written_plays(film: Path, tmp_path: Path) -> None:
    for suffix in ("mp4", "mkv"):
        target = tmp_path / f"out.{suffix}"
        process = start(str(film), "-o", str(target), "--scale", "2", "--model", "diinn-nano")
        heard(process.stderr)
        # Up to a second lies in the piece that is being written, and a busy machine starts late.
        end = time.monotonic() + 60
        while process.poll() is None and not plays(target) and time.monotonic() < end:
            time.sleep(0.2)
        process.kill()
        process.communicate()
        assert contents(target)[0] >= 1


def test_a_change_of_size_midway_is_survived(film: Path, tmp_path: Path) -> None:
    other, both = tmp_path / "other.ts", tmp_path / "both.ts"
    write_film(other, (128, 64), 50)
    both.write_bytes(film.read_bytes() + other.read_bytes())
    target = tmp_path / "out.mkv"
    report, _ = camera(str(both), "-o", str(target), "--scale", "2")
    assert contents(target)[1] == (192, 128)
    assert report["frames_in"] > 110


def test_options_that_contradict_each_other(
    film: Path, tmp_path: Path, refused_at_once: Callable[..., str]
) -> None:
    refused, name, out = refused_at_once, str(film), str(tmp_path / "o.mkv")
    assert "--serve" in refused(2, name, "--scale", "2")
    assert "--size" in refused(2, name, "-o", out)
    refused(2, name, "-o", out, "--scale", "2", "--size", "200x200")
    refused(2, name, "-o", out, "--scale", "0.5")
    refused(2, name, "-o", out, "--scale", "2", "--fps", "9", "--min-scale", "3")
    assert "--fps" in refused(2, name, "-o", out, "--scale", "2", "--min-scale", "1.5")
    assert "-o" in refused(2, name, "--serve", "0", "--scale", "2", "--codec", "x264")
    (tmp_path / "link.ts").symlink_to(film)
    (tmp_path / "plain.ts").write_bytes(film.read_bytes())
    plain = str(tmp_path / "plain.ts")
    for source, sink in [
        (name, str(tmp_path / "link.ts")),
        (plain, f"file://{plain}"),
        (f"file://{plain}", plain),
    ]:
        assert "source" in refused(2, source, "-o", sink, "--scale", "2", "--overwrite")
    assert (tmp_path / "plain.ts").read_bytes() == film.read_bytes()
    refused(2, name, "-o", out, "--scale", "2", "--fps", "0")
    refused(2, name, "-o", out, "--scale", "2", "--duration", "nan")
    assert "190x128" in refused(2, name, "-o", out, "--size", "191x128")
    (tmp_path / "o.mkv").touch()
    assert "--overwrite" in refused(2, name, "-o", out, "--scale", "2")


def test_sources_that_are_not_there(film: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "o.mkv")
    assert "no capture device" in refused(4, "/dev/video4711", "-o", out, "--scale", "2")
    said = refused(4, f"rtsp://user:sesame@127.0.0.1:{free_port()}/x?k=sesame", "-o", out, "--scale", "2")
    assert "sesame" not in said
    refused(4, str(tmp_path / "none.ts"), "-o", out, "--scale", "2")
    sound = tmp_path / "sound.ts"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        for number in range(30):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, number * 1024, Fraction(1, 48000)
            container.mux(stream.encode(frame))
    assert "no picture" in refused(4, str(sound), "-o", out, "--scale", "2")
    said = refused(4, str(film), "-o", f"rtmp://127.0.0.1:{free_port()}/app/sesame", "--scale", "2")
    assert "sesame" not in said
    assert not (tmp_path / "o.mkv").exists()


@needs_ffmpeg
def test_a_host_that_says_nothing_is_given_up_with_the_time(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = f"http://127.0.0.1:{mute.getsockname()[1]}/live.m3u8"
        assert "10 seconds" in refused(4, address, "-o", str(tmp_path / "o.mkv"), "--scale", "2")
