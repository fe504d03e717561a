"""``edge-sr upscale --watch``: files are taken when they are finished, once each, also over restarts."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.films import Making, make_film

from edge_sr.machine.open_files import is_open_for_writing
from edge_sr.tensors import reference_card
from edge_sr.upscale.batch.watching import SETTLED, Arrivals

if not sys.platform.startswith("linux"):
    pytest.skip("open files are told as on Linux", allow_module_level=True)

NETWORK = ("--model", "diinn-nano", "--backend", "onnxruntime", "--precision", "fp32", "--threads", "1")


@pytest.fixture
def arrivals(tmp_path: Path) -> Callable[[float], list[str]]:
    found = Arrivals(tmp_path, tmp_path / "out", recursive=False)
    return lambda now: [path.name for path in found.finished(now)]


def test_a_file_is_finished_when_it_rests(arrivals: Callable[[float], list[str]], tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    film.write_bytes(b"begin")
    assert arrivals(0) == []
    film.write_bytes(b"begin, more")
    assert arrivals(SETTLED) == []
    assert arrivals(2 * SETTLED - 0.1) == []
    assert arrivals(2 * SETTLED) == ["film.mkv"]
    assert arrivals(99) == []
    film.write_bytes(b"another film")
    assert [*arrivals(100), *arrivals(100 + SETTLED)] == ["film.mkv"]


def test_a_file_that_is_open_for_writing_is_not_finished_however_long_it_rests(
    arrivals: Callable[[float], list[str]], tmp_path: Path
) -> None:
    with open(tmp_path / "film.mkv", "wb") as file:
        file.write(b"begin")
        file.flush()
        assert is_open_for_writing(tmp_path / "film.mkv")
        assert [*arrivals(0), *arrivals(100)] == []
    assert arrivals(101) == ["film.mkv"]
    with open(tmp_path / "film.mkv", "rb"):
        assert not is_open_for_writing(tmp_path / "film.mkv")


def test_what_is_hidden_empty_or_by_its_name_unfinished_waits_for_its_own_name(
    arrivals: Callable[[float], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "empty.mkv").touch()
    (tmp_path / ".film.mkv.Xy3").write_bytes(b"as rsync writes")
    (tmp_path / "film.mp4.part").write_bytes(b"as browsers write")
    assert [*arrivals(0), *arrivals(100)] == []
    (tmp_path / ".film.mkv.Xy3").rename(tmp_path / "film.mkv")
    assert [*arrivals(101), *arrivals(101 + SETTLED)] == ["film.mkv"]


class Watching:
    """``edge-sr upscale --watch`` in a process of its own."""

    def __init__(self, folder: Path, output: Path) -> None:
        words = ["upscale", str(folder), "--watch", "-o", str(output), "--scale", "2", "--json", *NETWORK]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edge_sr", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def stop(self) -> tuple[int, str, str]:
        self._process.send_signal(signal.SIGTERM)
        out, err = self._process.communicate(timeout=60)
        return self._process.returncode, out, err


@pytest.mark.xdist_group("live")
def test_what_comes_is_made_once_and_a_fault_is_that_files_alone(tmp_path: Path) -> None:
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    Image.fromarray(reference_card(12, 10)).save(folder / "there.png")
    run = Watching(folder, output)
    first = run.next()
    assert (first["input"], first["state"]) == (str(folder / "there.png"), "done")
    make_film(tmp_path / "film.avi", Making((32, 24), 3, codec="mpeg4")).rename(folder / "film.avi")
    assert run.next()["output"] == str(output / "film.avi.mkv")
    (folder / "bad.mp4").write_bytes(b"not a film")
    failed = run.next()
    assert (failed["input"], failed["exit_code"]) == (str(folder / "bad.mp4"), 4)
    code, out, err = run.stop()
    assert (code, out) == (130, "")
    assert "after 3 inputs" in err
    assert {path.name for path in output.iterdir()} == {"film.avi.mkv", "there.png"}
    stamps = {path: path.stat().st_mtime_ns for path in output.iterdir()}
    (folder / "bad.mp4").unlink()
    again = Watching(folder, output)
    shutil.copy(folder / "there.png", folder / "later.png")
    assert again.next()["input"] == str(folder / "later.png")
    assert again.stop()[0] == 130
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
