"""Whole runs through the library: kills, interruptions, and what the report says."""

from __future__ import annotations

import errno
import itertools
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.films import Making, frame_pixels, frame_times, make_film, moving_picture, packets
from support.upscaling import At, nano_request

from edge_sr.errors import (
    DiskFullError,
    InterruptedRun,
    MediaError,
    MemoryLimitError,
    OptionError,
    OutputExistsError,
    ResourceError,
)
from edge_sr.files.posix import write_note
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale
from edge_sr.video.encode.origin import NOTE
from edge_sr.video.encode.workfolder import WorkFolder, folder_for, partial_for
from edge_sr.video.film.film import Excerpt, Film

RUN = """
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any
from edge_sr.cli.terminal.interrupts import stopping
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.run.watcher import Silent
from edge_sr.upscale.upscale import upscale

class Loud(Silent):
    def frame(self, done, fps):
        print(done, flush=True)

request = Request(
    sys.argv[1], Path(sys.argv[2]), scale=Fraction(3, 2), model="diinn-nano", preset="veryfast",
    backend="onnxruntime", precision="fp32", segment_frames=4, resume="resume" in sys.argv,
)
with stopping(lambda text: None) as stop:
    upscale(request, Controls(Loud(), stop))
"""


def request_for(source: Path, output: Path | None, **changes: object) -> Request:
    plain = {"scale": Fraction(3, 2), "preset": "veryfast", "segment_frames": 4}
    return nano_request(source, output, **{**plain, **changes})


def started(source: Path, output: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, str(source), str(output), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    uneven = [index * 500 + (index % 3) * 100 + 700 for index in range(30)]
    making = Making(size=(32, 24), times=uneven, time_base=Fraction(1, 12800), audio=("eng",))
    return make_film(tmp_path_factory.mktemp("source") / "source.mp4", making)


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of a run that nothing disturbed."""
    output = tmp_path_factory.mktemp("whole") / "whole.mp4"
    upscale(request_for(source, output))
    return output


def same_film(one: Path, other: Path) -> bool:
    pictures = zip(frame_pixels(one), frame_pixels(other), strict=True)
    return frame_times(one) == frame_times(other) and all(np.array_equal(a, b) for a, b in pictures)


def test_an_undisturbed_run_keeps_times_and_sound(source: Path, whole: Path) -> None:
    assert frame_times(whole) == frame_times(source)
    assert packets(whole, "audio") == packets(source, "audio")
    assert not folder_for(whole).exists()


def survive_kills(source: Path, output: Path, seed: int, kills: int) -> int:
    """Kills a run again and again at random moments and goes on with it; how often it was killed."""
    chance = random.Random(seed)
    done = 0
    while done < kills:
        process = started(source, output, "resume")
        # Either at some frame, or somewhere in opening and muxing.
        if chance.random() < 0.7:
            for _ in range(chance.randrange(1, 9)):
                assert process.stdout is not None
                process.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        process.communicate()
        done += process.returncode == -signal.SIGKILL
        if output.exists():
            break
    return done


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_run_is_gone_on_with(source: Path, whole: Path, tmp_path: Path, seed: int) -> None:
    output = tmp_path / "film.mp4"
    survive_kills(source, output, seed, kills=3)
    if not output.exists():
        upscale(request_for(source, output, resume=True))
    assert same_film(output, whole)


@pytest.mark.slow
def test_twenty_kills(source: Path, whole: Path, tmp_path: Path) -> None:
    kills, seed = 0, 100
    while kills < 20:
        output = tmp_path / f"film{seed}.mp4"
        kills += survive_kills(source, output, seed, kills=7)
        if not output.exists():
            upscale(request_for(source, output, resume=True))
        assert same_film(output, whole)
        seed += 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_leaves_a_film_that_plays(
    source: Path, whole: Path, tmp_path: Path, number: signal.Signals
) -> None:
    output = tmp_path / "film.mp4"
    process = started(source, output)
    assert process.stdout is not None
    for _ in range(6):
        process.stdout.readline()
    process.send_signal(number)
    _, talk = process.communicate()
    assert "InterruptedRun" in talk
    partial = partial_for(output)
    made = frame_times(partial)
    assert 6 <= len(made) < 30
    assert made == frame_times(whole)[: len(made)]
    last = made[-1] + Fraction(1, 10)
    assert all(moment <= last for moment, _ in packets(partial, "audio")[0])
    upscale(request_for(source, output, resume=True))
    assert same_film(output, whole)
    assert not partial.exists()


def test_two_signals_end_it_at_once_and_lose_no_piece(source: Path, whole: Path, tmp_path: Path) -> None:
    output = tmp_path / "film.mp4"
    process = started(source, output)
    assert process.stdout is not None
    for _ in range(10):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode in (1, 130)  # 1: the first had ended the run before the second came
    upscale(request_for(source, output, resume=True))
    assert same_film(output, whole)


def test_a_run_stopped_before_its_first_frame_says_so(source: Path, tmp_path: Path) -> None:
    controls = Controls()
    controls.stop.set()
    with pytest.raises(InterruptedRun, match="nothing was finished yet"):
        upscale(request_for(source, tmp_path / "film.mp4"), controls)


def test_other_options_are_refused_when_going_on(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "film.mp4"
    stop_after(source, output, 5)
    with pytest.raises(OptionError, match="crf was 18, now 25"):
        upscale(request_for(source, output, resume=True, crf=25))
    with pytest.raises(OptionError, match="size was"):
        upscale(request_for(source, output, resume=True, scale=Fraction(2)))


def test_another_input_is_refused_when_going_on(source: Path, tmp_path: Path) -> None:
    changed, output = tmp_path / "source.mp4", tmp_path / "film.mp4"
    shutil.copy(source, changed)
    stop_after(changed, output, 5)
    make_film(changed, Making(size=(32, 24), frames=30, audio=("eng",)))
    with pytest.raises(OptionError, match="input bytes was"):
        upscale(request_for(changed, output, resume=True))


def stop_after(source: Path, output: Path, frames: int, **changes: object) -> None:
    stop = threading.Event()

    with pytest.raises(InterruptedRun, match="partial"):
        upscale(request_for(source, output, **changes), Controls(At(frames, stop.set), stop))


def test_the_number_of_threads_is_that_of_the_first_run(
    source: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "film.mp4"
    stop_after(source, output, 9)
    monkeypatch.setattr("edge_sr.upscale.film_plan.available_cores", lambda: 12)
    upscale(request_for(source, output, resume=True))
    assert same_film(output, whole)


def test_what_auto_came_to_is_that_of_the_first_run(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "film.mp4"
    stop_after(source, output, 5, backend="onnxruntime", precision="fp16")
    report = upscale(request_for(source, output, resume=True, backend="auto", precision="auto"))
    assert (report.backend, report.precision, report.frames) == ("onnxruntime", "fp16", 30)


def test_without_room_for_a_copy_a_list_of_the_pieces_plays(
    source: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when what was made so far is to be muxed."""

    def full(*given: object, **more: object) -> list[str]:
        raise DiskFullError(f"no space left for {len(given) + len(more)} things")

    stop = threading.Event()
    monkeypatch.setattr("edge_sr.upscale.films.mux", full)
    with pytest.raises(InterruptedRun, match=r"film\.partial\.ffconcat plays"):
        upscale(request_for(source, tmp_path / "film.mp4"), Controls(At(10, stop.set), stop))
    found = len(frame_pixels(tmp_path / "film.partial.ffconcat"))
    assert 10 <= found < 30
    monkeypatch.undo()
    upscale(request_for(source, tmp_path / "film.mp4", resume=True))
    assert same_film(tmp_path / "film.mp4", whole)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_a_disk_that_fills_up_while_joining_loses_nothing(source: Path, whole: Path, tmp_path: Path) -> None:
    """A limit on the size of one file: every segment fits, the film does not."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(whole.stat().st_size * 0.6), before[1]))
    try:
        with pytest.raises(DiskFullError, match=r"film\.partial\.ffconcat plays .*; go on with"):
            upscale(request_for(source, tmp_path / "film.mp4"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(frame_pixels(tmp_path / "film.partial.ffconcat")) == 30
    upscale(request_for(source, tmp_path / "film.mp4", resume=True))
    assert same_film(tmp_path / "film.mp4", whole)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_room_is_looked_for_before_joining(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(DiskFullError, match=r"has 0 MiB left.*ffconcat plays"):
        upscale(request_for(source, tmp_path / "film.mp4"))


def test_a_finished_film_is_done_already(source: Path, whole: Path, tmp_path: Path) -> None:
    output = tmp_path / "film.mp4"
    shutil.copy(whole, output)
    before = output.stat().st_mtime_ns
    report = upscale(request_for(source, output, resume=True))
    assert (report.frames, report.resumed_frames, report.output_size) == (30, 30, (48, 36))
    assert output.stat().st_mtime_ns == before
    with pytest.raises(OutputExistsError, match="48x36 where this run makes 64x48"):
        upscale(request_for(source, output, resume=True, scale=Fraction(2)))


def test_a_film_of_another_length_is_not_what_an_earlier_run_finished(source: Path, tmp_path: Path) -> None:
    output, half = tmp_path / "film.mp4", Excerpt(duration=Fraction(1, 2))
    assert upscale(request_for(source, output, excerpt=half)).frames == 12
    assert upscale(request_for(source, output, excerpt=half, resume=True)).was_done
    # As a copy is, of which nothing is known.
    write_note(output, NOTE, "")
    with pytest.raises(OutputExistsError, match="12 frames where this run makes 30 frames"):
        upscale(request_for(source, output, resume=True))
    upscale(request_for(source, output, overwrite=True))
    write_note(output, NOTE, "")
    with pytest.raises(OutputExistsError, match="30 frames where this run makes 12 frames"):
        upscale(request_for(source, output, resume=True, excerpt=half))


def test_a_film_that_promised_more_than_it_held_is_done_too(tmp_path: Path) -> None:
    cut, output = make_film(tmp_path / "cut.mkv", Making(size=(32, 24), frames=120)), tmp_path / "film.mkv"
    with Film(str(cut)) as film:
        promised = film.info.frames
    with cut.open("r+b") as file:
        file.truncate(cut.stat().st_size // 2)
    made = upscale(request_for(cut, output)).frames
    assert made < promised * 0.8
    again = upscale(request_for(cut, output, resume=True))
    assert (again.was_done, again.frames) == (True, made)


@pytest.mark.parametrize("moment", ["rename", "tidying"])
def test_a_kill_after_the_last_rename_leaves_nothing_to_do(
    source: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    output = tmp_path / "film.mp4"

    class Killed(BaseException):
        pass

    def killed(work: WorkFolder) -> None:
        if moment == "tidying":
            (work.path / "state.json").unlink()
        raise Killed

    monkeypatch.setattr(WorkFolder, "remove", killed)
    with pytest.raises(Killed):
        upscale(request_for(source, output))
    monkeypatch.undo()
    assert folder_for(output).exists()
    assert upscale(request_for(source, output, resume=True)).frames == 30
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
    assert same_film(output, whole)


def test_an_unfinished_run_that_replaces_a_film_needs_to_be_told_again(
    source: Path, whole: Path, tmp_path: Path
) -> None:
    output = tmp_path / "film.mp4"
    output.write_text("old")
    stop_after(source, output, 5, overwrite=True)
    with pytest.raises(OutputExistsError):
        upscale(request_for(source, output, resume=True))
    upscale(request_for(source, output, resume=True, overwrite=True))
    assert same_film(output, whole)


def test_a_sequence_with_a_replaced_picture_is_another_input(tmp_path: Path) -> None:
    from PIL import Image

    for index in range(30):
        Image.fromarray(moving_picture((32, 24), index)).save(tmp_path / f"frame{index:03d}.png")
    pattern, output = tmp_path / "frame%03d.png", tmp_path / "film.mp4"
    stop_after(pattern, output, 9)
    Image.fromarray(moving_picture((32, 24), 99)).save(tmp_path / "frame015.png")
    with pytest.raises(OptionError, match="input sizes and times changed"):
        upscale(request_for(pattern, output, resume=True))


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (RuntimeError("device lost"), ResourceError, "RuntimeError: device lost"),
        (MemoryError(), MemoryLimitError, "not enough memory"),
        (OSError(errno.ENOSPC, "No space left"), DiskFullError, "no space left"),
    ],
    ids=["unknown", "memory", "disk"],
)
def test_a_network_that_breaks_leaves_what_was_made(
    source: Path,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    kind: type[Exception],
    told: str,
) -> None:
    from edge_sr.upscaler import Result, Upscaler

    working = Upscaler.stream

    def breaking(*given: Any, **more: Any) -> Iterator[Result]:
        yield from itertools.islice(working(*given, **more), 6)
        raise error

    monkeypatch.setattr(Upscaler, "stream", breaking)
    with pytest.raises(kind, match=rf"^{told}.*; .*partial\.mp4 plays what was made so far") as raised:
        upscale(request_for(source, tmp_path / "film.mp4"))
    assert type(raised.value) is kind
    assert 4 <= len(frame_times(tmp_path / "film.partial.mp4")) <= 6
    monkeypatch.undo()
    upscale(request_for(source, tmp_path / "film.mp4", resume=True))
    assert same_film(tmp_path / "film.mp4", whole)


def test_a_numbered_sequence_of_pictures_is_a_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    for index in range(5):
        Image.fromarray(moving_picture((32, 24), index)).save(tmp_path / f"frame{index:03d}.png")
    report = upscale(request_for(tmp_path / "frame%03d.png", tmp_path / "film.mp4", codec="x264"))
    assert (report.frames, report.output_size) == (5, (48, 36))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    beside = upscale(request_for(Path("../frame%03d.png"), None, codec="x264"))
    assert beside.output == "../frame%03d-48x36.mkv" and not list(elsewhere.iterdir())


def test_a_huge_picture_is_refused_before_it_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.setattr("edge_sr.machine.memory.available_bytes", lambda: 1 << 30)
    path = tmp_path / "huge.png"
    Image.new("1", (20000, 10000)).save(path)
    with pytest.raises(MemoryLimitError, match="GiB"):
        upscale(Request(str(path), scale=Fraction(2), model="diinn-nano"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["huge.png"]


def test_a_film_too_small_for_the_network_is_refused(tmp_path: Path) -> None:
    path = make_film(tmp_path / "small.mkv", Making(size=(2, 2), frames=2, codec="ffv1"))
    with pytest.raises(MediaError, match="2x2"):
        upscale(request_for(path, tmp_path / "film.mkv"))
