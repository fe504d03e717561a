"""``edge-sr upscale - -o -``: frames through pipes, every one, in order, in their own layout."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.films import Making, frame_pixels, make_film, moving_picture

from edge_sr.errors import MediaError
from edge_sr.upscaler import Upscaler
from edge_sr.video.piped.forms import read_header

NETWORK = ("--model", "diinn-nano", "--backend", "onnxruntime", "--precision", "fp32", "--threads", "1")
FORMATS = {
    "420jpeg": "yuv420p",
    "422": "yuv422p",
    "444": "yuv444p",
    "mono": "gray",
    "420p10": "yuv420p10le",
    "422p12": "yuv422p12le",
    "444p16": "yuv444p16le",
    "mono16": "gray16le",
}


def upscale(*words: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "edge_sr", "upscale", *map(str, words), "--scale", "1.5", *NETWORK]
    return subprocess.run(command, input=given, capture_output=True)


def planes(pixel_format: str, index: int, size: tuple[int, int] = (32, 24)) -> bytes:
    """A frame without padding: a drifting gradient in every plane."""
    layout = av.VideoFormat(pixel_format, *size)
    parts = []
    for component in layout.components:
        y, x = np.mgrid[0 : component.height, 0 : component.width]
        codes = (x * 3 + y * 2 + index * 5 + 60) << (component.bits - 8)
        parts.append(codes.astype(np.uint8 if component.bits == 8 else "<u2").tobytes())
    return b"".join(parts)


def y4m(tag: str, frames: int = 3, words: str = "A12:11 XCOLORRANGE=LIMITED") -> bytes:
    head = f"YUV4MPEG2 W32 H24 F30000:1001 Ip {words} C{tag}\n".encode()
    return head + b"".join(b"FRAME\n" + planes(FORMATS[tag], index) for index in range(frames))


def decoded(data: bytes) -> list[Any]:
    with av.open(io.BytesIO(data), format="yuv4mpegpipe") as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize("tag", list(FORMATS))
def test_every_layout_and_depth_keeps_its_own(tag: str) -> None:
    answer = upscale("-", "-o", "-", given=y4m(tag))
    assert answer.returncode == 0, answer.stderr
    line, _, _ = answer.stdout.partition(b"\n")
    assert line == f"YUV4MPEG2 W48 H36 F30000:1001 Ip A12:11 C{tag} XCOLORRANGE=LIMITED".encode()
    header = read_header(line)
    assert len(answer.stdout) == len(line) + 1 + 3 * (6 + header.frame_bytes)
    frames = decoded(answer.stdout)
    assert [frame.format.name for frame in frames] == [FORMATS[tag]] * 3
    for index, frame in enumerate(frames):
        luma = np.frombuffer(frame.planes[0], "<u2" if frame.format.components[0].bits > 8 else "u1")
        middle = luma.reshape(36, -1)[18, 24] / (1 << (frame.format.components[0].bits - 8))
        # The gradient's own value in the middle, whatever the network makes of its neighbourhood.
        assert abs(middle - (16 * 3 + 12 * 2 + index * 5 + 60 - 1)) < 4


@pytest.mark.parametrize("tag", ["mono7x", "monole", "420p99", "420p010", "none"])
def test_a_layout_that_nobody_knows_has_no_frames_of_known_length(tag: str) -> None:
    assert read_header(f"YUV4MPEG2 W32 H24 F25:1 C{tag}".encode()).frame_bytes == 0


@pytest.mark.parametrize("size", ["W32 H-24", "W0 H24", "W32 H99999999999", "W32 H4294967297", "W32"])
def test_a_size_that_no_picture_has_is_damage(size: str) -> None:
    with pytest.raises(MediaError, match="its header is damaged"):
        read_header(f"YUV4MPEG2 {size} F25:1 C420".encode())


def test_frames_equal_those_of_a_run_from_file_to_file(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", Making((32, 24), 6, audio=("eng",), colours=(6, 1, 6, 6)))
    assert upscale(film, "-o", tmp_path / "larger.mkv", "--codec", "ffv1").returncode == 0
    from_file = upscale(film, "-o", "-")
    assert b"left out, as a pipe holds the picture alone: audio track 1" in from_file.stderr
    (tmp_path / "whole.y4m").write_bytes(from_file.stdout)
    through = upscale("-", "-o", tmp_path / "piped.mkv", "--codec", "ffv1", given=film_as_y4m(film))
    assert through.returncode == 0, through.stderr
    wanted = frame_pixels(tmp_path / "larger.mkv")
    for name in ("whole.y4m", "piped.mkv"):
        found = frame_pixels(tmp_path / name)
        assert len(found) == 6
        assert all((one == other).all() for one, other in zip(wanted, found, strict=True)), name


def film_as_y4m(film: Path) -> bytes:
    frames = frame_pixels(film)
    return b"YUV4MPEG2 W32 H24 F25:1 Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED\n" + b"".join(
        b"FRAME\n" + frame.tobytes() for frame in frames
    )


def test_raw_frames_come_and_go_as_they_are_described() -> None:
    picture = moving_picture((20, 16), 0)
    words = (
        "--input-format",
        "rawvideo",
        "--pixel-format",
        "rgb24",
        "--video-size",
        "20x16",
        "--framerate",
        "25",
    )
    answer = upscale("-", "-o", "-", *words, "--output-format", "rawvideo", given=picture.tobytes() * 2)
    assert answer.returncode == 0, answer.stderr
    found = np.frombuffer(answer.stdout, np.uint8).reshape(2, 24, 30, 3)
    with Upscaler("diinn-nano", backend="onnxruntime", precision="fp32") as upscaler:
        wanted = upscaler(picture.astype(np.float32) / 255, scale="1.5")
    assert np.abs(found[0] - wanted * 255).max() < 1
    assert (found[0] == found[1]).all()
    grey = upscale("-", "-o", "-", *words, given=picture.tobytes())
    assert grey.stdout.startswith(b"YUV4MPEG2 W30 H24 F25:1 Ip A1:1 C444 XCOLORRANGE=LIMITED\nFRAME\n")


def test_a_stream_that_breaks_off_is_said_and_strict_fails() -> None:
    answer = upscale("-", "-o", "-", "--json", given=y4m("420jpeg")[:-100])
    assert answer.returncode == 0
    report = json.loads(answer.stderr.splitlines()[-1])
    assert report["frames"] == len(decoded(answer.stdout)) == 2
    assert "broke off" in report["warnings"][0]
    assert upscale("-", "-o", "-", "--strict", given=y4m("420jpeg")[:-100]).returncode == 4


@pytest.mark.parametrize(
    ("words", "given", "code", "message"),
    [
        (("-", "-o", "-"), b"", 4, "standard input is empty"),
        (("-", "-o", "-"), b"RIFF....", 4, "is no y4m"),
        (("-", "-o", "-"), b"YUV4MPEG2 W32 H24 F25:1 C420jpeg\n", 4, "no frame that can be decoded"),
        (("-",), b"", 2, "standard input has no name"),
        (("-", "-o", "-", "--resume"), b"", 2, "leave --resume out"),
        (("-", "-o", "-", "--codec", "x264"), b"", 2, "--codec is for encoders"),
        (("-", "-o", "-", "--input-format", "rawvideo"), b"", 2, "needs --video-size and --framerate"),
        (("-", "-o", "-", "--framerate", "25"), b"", 2, "describes raw frames"),
        (
            ("-", "-o", "-", "--output-format", "rawvideo", "--pixel-format", "nv12"),
            b"",
            2,
            "planar YUV or grey",
        ),
        (("a.mkv", "-o", "b.mkv", "--input-format", "y4m"), b"", 2, "is for standard input"),
        (("-", "-o", "a.mkv", "--output-format", "y4m"), b"", 2, "is for standard output"),
        (("a.mkv", "b.mkv", "-o", "-"), b"", 2, "the frames of one film"),
    ],
)
def test_what_is_no_pipe_is_refused(words: tuple[str, ...], given: bytes, code: int, message: str) -> None:
    answer = upscale(*words, given=given or (y4m("420jpeg") if "nv12" in words else b""))
    assert (answer.returncode, answer.stdout) == (code, b""), answer.stderr
    assert message in answer.stderr.decode().splitlines()[-1]


def test_a_reader_who_leaves_ends_it_cleanly() -> None:
    command = [sys.executable, "-m", "edge_sr", "upscale", "-", "-o", "-", "--scale", "4", *NETWORK]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(y4m("420jpeg", frames=20))
    process.stdin.close()
    process.stdout.read(100)
    process.stdout.close()
    said = process.stderr.read().decode()
    assert process.wait() == 0, said
    assert "left after" in said
    assert "Traceback" not in said


def test_a_stop_while_it_waits_for_input_ends_with_130() -> None:
    command = [sys.executable, "-m", "edge_sr", "upscale", "-", "-o", "-", "--scale", "2", *NETWORK]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(y4m("420jpeg", frames=3))
    process.stdin.flush()
    first = process.stdout.read(200)
    process.send_signal(signal.SIGTERM)
    rest = process.stdout.read()
    assert process.wait(60) == 130
    said = process.stderr.read().decode()
    assert f"stopped after {len(decoded(first + rest))} frames" in said
    process.stdin.close()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the recipes are for ffmpeg")
def test_the_guides_recipes_run(tmp_path: Path) -> None:
    make_film(tmp_path / "film.mkv", Making(size=(32, 24), frames=4, audio=("eng",)))
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "films.md").read_text()
    recipes = guide.partition("## Through pipes")[2].partition("```sh\n")[2].partition("```")[0]
    tool = f"{sys.executable} -m edge_sr"
    script = (
        recipes.replace("edge-sr", tool)
        .replace("1280x720", "32x24")
        .replace("upscale -", f"upscale {' '.join(NETWORK)} -")
    )
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "frames.gray").stat().st_size == 4 * 64 * 48
    for name in ("larger.mkv", "with-sound.mkv"):
        with av.open(str(tmp_path / name)) as container:
            stream = container.streams.video[0]
            assert (stream.width, stream.height) == (86, 66)
            assert sum(1 for _ in container.decode(video=0)) == 4
    with av.open(str(tmp_path / "with-sound.mkv")) as container:
        assert len(container.streams.audio) == 1
