"""Drafts of killed runs go, those of living runs and everybody else's files stay."""

from __future__ import annotations

import gc
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_sr.bundle.writing import check_new_folder, new_folder
from edge_sr.cli.pages import check_new_page
from edge_sr.engines.store.folder import write_private
from edge_sr.errors import OutputFolderError
from edge_sr.files import drafts
from edge_sr.files.atomic import replacing, write_whole
from edge_sr.files.drafts import drafting, drafting_folder, remove_dead_drafts, scratch_folder, takes_files
from edge_sr.files.posix import try_lock
from edge_sr.sizes import parse_scale
from edge_sr.upscale.inputs.pipes import kept_in_file
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.places import check_place
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale
from edge_sr.video.encode.workfolder import WorkFolder

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills its own forks")
Writing = Callable[[Path], None]


def _killed(work: Callable[[], object], at: str = "replace") -> None:
    """``work`` in a fork that is killed where it would rename."""
    child = os.fork()
    if child == 0:
        # What other tests left, as decoders of films, would wait at its end for threads that no fork has.
        gc.disable()
        signal.alarm(60)
        try:
            setattr(Path, at, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            work()
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _whole(folder: Path) -> None:
    write_whole(folder / "made", b"content")


def _picture(folder: Path) -> None:
    with replacing(folder / "made") as draft:
        draft.write_bytes(b"content")


def _bundle(folder: Path) -> None:
    with new_folder(folder / "made") as draft:
        (draft / "part").write_bytes(b"content")


def _pipe(folder: Path) -> None:
    pipe = folder.parent / "pipe"
    if not pipe.exists():
        os.mkfifo(pipe)
    sender = subprocess.Popen(["sh", "-c", f"echo content > '{pipe}'"])
    request = Request(str(pipe), scale=parse_scale("2"), output=folder / "made")
    with kept_in_file(request, Controls()) as kept:
        Path(kept.input).replace(folder / "made")
    sender.wait()


def _engine(folder: Path) -> None:
    write_private(folder / "made", b"content")


@pytest.mark.parametrize(
    ("write", "at"),
    [
        (_whole, "replace"),
        (_picture, "replace"),
        (_bundle, "rename"),
        (_pipe, "replace"),
        (_engine, "replace"),
    ],
)
def test_what_a_killed_writer_leaves_goes_with_the_next(write: Writing, at: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    _killed(lambda: write(folder), at)
    assert _names(folder), "the kill came too late to leave anything"
    write(folder)
    assert _names(folder) == {"made"}


@pytest.mark.parametrize("many", [False, True], ids=["picture", "folder"])
def test_a_killed_picture_leaves_nothing_once_its_run_was_gone_on_with(many: bool, tmp_path: Path) -> None:
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    out.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(given / name)
    source, target = (given, out) if many else (given / "a.png", out / "a.png")
    # By name, as what ``auto`` measured would be the first to be put in its place.
    network = {"model": "diinn-nano", "backend": "onnxruntime", "precision": "fp32"}
    request = Request(str(source), scale=Fraction(2), output=target, resume=many, **network)
    _killed(lambda: upscale(request))
    assert any(name.startswith(".edge-sr-") for name in _names(out))
    upscale(request)
    assert _names(out) == ({"a.png", "b.png"} if many else {"a.png"})


def test_a_folder_that_is_done_is_tidied_too(tmp_path: Path) -> None:
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(given / "a.png")
    request = Request(
        str(given), scale=Fraction(2), output=out, model="diinn-nano", backend="onnxruntime", resume=True
    )
    upscale(request)
    _killed(lambda: _picture(out))
    upscale(request)
    assert _names(out) == {"a.png"}


def test_a_finished_film_is_tidied_too(tmp_path: Path) -> None:
    _killed(lambda: _picture(tmp_path))
    work = WorkFolder(tmp_path / "film.mkv")
    work.open({}, resume=False, overwrite=False)
    work.remove()
    assert not _names(tmp_path)


def test_a_living_run_keeps_its_draft(tmp_path: Path) -> None:
    writing = subprocess.Popen(
        [sys.executable, "-c", _HOLDS, str(tmp_path / "picture.png")], stdout=subprocess.PIPE, text=True
    )
    assert writing.stdout is not None
    writing.stdout.readline()
    before = _names(tmp_path)
    remove_dead_drafts(tmp_path)
    assert len(before) == 1 and _names(tmp_path) == before
    writing.kill()
    writing.wait()
    remove_dead_drafts(tmp_path)
    assert not _names(tmp_path)


_HOLDS = """
import sys, time
from pathlib import Path
from edge_sr.files.drafts import drafting
with drafting(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(60)
"""


def test_another_draft_of_this_run_stays(tmp_path: Path) -> None:
    with drafting(tmp_path / "one") as draft:
        remove_dead_drafts(tmp_path)
        assert draft.exists()


def test_what_only_looks_like_a_draft_stays(tmp_path: Path) -> None:
    names = {".edge-sr-0123456789abcdef.png", ".edge-sr-" + "0" * 32 + ".png", ".edge-sr-notes", ".edge-sr-"}
    for name in names:
        (tmp_path / name).write_bytes(b"somebody's")
    remove_dead_drafts(tmp_path)
    assert _names(tmp_path) == names


def test_a_draft_of_another_machine_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock may not be seen here."""
    with monkeypatch.context() as other:
        other.setattr(drafts.platform, "node", lambda: "another")
        _killed(lambda: _picture(tmp_path))
    left = _names(tmp_path)
    remove_dead_drafts(tmp_path)
    assert left and _names(tmp_path) == left


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "another user's"])
def test_only_a_file_of_ones_own_is_removed(kind: str, tmp_path: Path) -> None:
    _killed(lambda: _picture(tmp_path))
    (draft,) = tmp_path.iterdir()
    if kind == "another user's":
        if os.geteuid() != 0:
            pytest.skip("only root gives files away")
        os.chown(draft, 54321, 54321)
    else:
        draft.unlink()
        precious = tmp_path / "precious"
        precious.mkdir()
        {"link": draft.symlink_to, "pipe": lambda _: os.mkfifo(draft), "folder": lambda _: draft.mkdir()}[
            kind
        ](precious)
    before = _names(tmp_path)
    remove_dead_drafts(tmp_path)
    assert _names(tmp_path) == before


@pytest.mark.usefixtures("without_locks")
def test_without_locks_nothing_is_removed(tmp_path: Path) -> None:
    _whole(tmp_path)
    assert _names(tmp_path) == {"made"}
    _killed(lambda: _whole(tmp_path))
    left = _names(tmp_path)
    remove_dead_drafts(tmp_path)
    assert len(left) == 2 and _names(tmp_path) == left


def test_two_sweepers_and_many_writers_lose_nothing(tmp_path: Path) -> None:
    """A draft is examined by others in the very moment it is made, again and again."""
    sweepers = [_sweeper(tmp_path) for _ in range(2)]
    try:
        until = time.monotonic() + 1.0
        number = 0
        while time.monotonic() < until or number < 50:
            write_whole(tmp_path / f"{number}", b"content")
            number += 1
    finally:
        for sweeper in sweepers:
            os.kill(sweeper, signal.SIGKILL)
            os.waitpid(sweeper, 0)
    assert _names(tmp_path) == {str(each) for each in range(number)}
    assert all(path.read_bytes() == b"content" for path in tmp_path.iterdir())


def _sweeper(folder: Path) -> int:
    child = os.fork()
    if child == 0:
        while True:
            remove_dead_drafts(folder)
    return child


def test_a_folder_in_place_of_another(tmp_path: Path) -> None:
    _bundle(tmp_path)
    with drafting_folder(tmp_path / "made") as draft:
        (draft / "other").write_bytes(b"")
    assert _names(tmp_path) == {"made"} and _names(tmp_path / "made") == {"other"}


def test_a_scratch_folder_goes_and_that_of_a_killed_run_with_the_next(tmp_path: Path) -> None:
    def killed() -> None:
        with scratch_folder(tmp_path) as folder:
            (folder / "job").mkdir()
            (folder / "job" / "upload").write_bytes(b"content")
            os.kill(os.getpid(), signal.SIGKILL)

    _killed(killed)
    assert len(_names(tmp_path)) == 2
    with scratch_folder(tmp_path) as folder:
        assert _names(tmp_path) == {folder.name, f"{folder.name}.folder"}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        remove_dead_drafts(tmp_path)
        assert folder.is_dir()
    assert not _names(tmp_path)


def test_a_scratch_folder_is_locked_so_that_systemds_cleaner_leaves_it(tmp_path: Path) -> None:
    """A service that nobody asked for ten days had none left, and refused all uploads."""
    with scratch_folder(tmp_path) as folder:
        handle = os.open(folder, os.O_RDONLY)
        try:
            assert try_lock(handle) is False
        finally:
            os.close(handle)


def test_a_kill_between_the_two_renames_loses_no_folder(tmp_path: Path) -> None:
    _bundle(tmp_path)

    def replace() -> None:
        renamed = []
        rename = os.rename

        def once(self: Path, target: Path) -> None:
            if renamed:
                os.kill(os.getpid(), signal.SIGKILL)
            renamed.append(rename(self, target))

        Path.rename = once  # type: ignore[assignment, method-assign]
        with new_folder(tmp_path / "made", overwrite=True):
            pass

    child = os.fork()
    if child == 0:
        replace()
        os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert "made" not in _names(tmp_path)
    remove_dead_drafts(tmp_path)
    assert _names(tmp_path) == {"made"} and _names(tmp_path / "made") == {"part"}


def test_a_folder_takes_files_where_one_can_be_made(tmp_path: Path) -> None:
    assert takes_files(tmp_path)
    assert not list(tmp_path.iterdir())
    assert not takes_files(tmp_path / "none")


def test_too_many_open_files_are_no_fault_of_a_folder(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    earlier = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, earlier[1]))
    try:
        takes = takes_files(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, earlier)
    assert takes


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="no file system here that takes no files of anybody"
)
def test_not_even_a_superuser_makes_files_everywhere() -> None:
    assert not takes_files(Path("/proc"))
    for output in (Path("/proc/larger.png"), Path("/proc/larger.mkv")):
        with pytest.raises(OutputFolderError, match="/proc is not writable"):
            check_place("picture.png", output)
    with pytest.raises(OutputFolderError, match="/proc is not a folder one can write to"):
        check_new_folder(Path("/proc/bundle"))
    with pytest.raises(OutputFolderError, match="can be written to, /proc cannot"):
        check_new_page("--report", Path("/proc/page.html"))
