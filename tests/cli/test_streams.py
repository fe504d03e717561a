"""Standard streams that are closed, full or read by nobody: the film is finished all the same."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.films import Making, frame_times, make_film

FRAMES = 12
Upscaled = Callable[[str], "subprocess.CompletedProcess[bytes]"]
linux = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@pytest.fixture
def upscaled(tmp_path: Path) -> Upscaled:
    """Runs a small film with the shell's redirections given, and checks that it is whole."""
    make_film(tmp_path / "film.mkv", Making(frames=FRAMES))

    def run(redirection: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "edge_sr", "upscale", str(tmp_path / "film.mkv")]
        words = [
            *command,
            "-o",
            str(tmp_path / "out.mkv"),
            "--scale",
            "2",
            "--model",
            "diinn-nano",
            "--overwrite",
        ]
        ended = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"{shlex.join(words)} {redirection}"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
        )  # fmt: skip
        assert len(frame_times(tmp_path / "out.mkv")) == FRAMES
        assert b"Traceback" not in ended.stdout + ended.stderr
        assert not list(tmp_path.glob("*.part"))
        return ended

    return run


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">&-", ">&- 2>&- <&-", "| true"])
@linux
def test_nobody_listens(upscaled: Upscaled, redirection: str) -> None:
    assert upscaled(redirection).returncode == 0


@pytest.mark.parametrize("end", ["stdout", "stderr"])
@pytest.mark.parametrize("words", [["models"], ["--version"], ["--help"], ["export", "--help"]])
def test_a_reader_of_ascii_may_leave_too(words: list[str], end: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ends = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, end: writer}
    ended = subprocess.run(
        [sys.executable, "-m", "edge_sr", *words],
        env={**os.environ, "PYTHONIOENCODING": "ascii"}, **ends, timeout=120,  # type: ignore[call-overload]
    )  # fmt: skip
    os.close(writer)
    assert ended.returncode == 0


@linux
def test_a_report_that_finds_no_room_is_told(upscaled: Upscaled) -> None:
    ended = upscaled(">/dev/full")
    assert ended.returncode == 5
    (line,) = [line for line in ended.stderr.splitlines() if b"stdout" in line]
    assert b"No space left" in line
    assert upscaled(">/dev/full 2>/dev/full").returncode == 5


@linux
def test_a_reader_who_takes_nothing_holds_nothing_up(upscaled: Upscaled, tmp_path: Path) -> None:
    pipe = tmp_path / "stalled"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            os.write(writer, bytes(1 << 16))
    except BlockingIOError:
        assert upscaled(f"2>{shlex.quote(str(pipe))}").returncode == 0
    finally:
        os.close(writer)
        os.close(reader)
