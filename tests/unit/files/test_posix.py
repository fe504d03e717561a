"""Files on systems without POSIX locks and owners: nothing is refused for want of them but what cannot be safe."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from edge_sr.engines.store.folder import open_folder
from edge_sr.engines.store.locks import exclusive
from edge_sr.errors import MissingError, OutputExistsError, OutputFolderError
from edge_sr.files import posix
from edge_sr.machine.memory import peak_rss_mb
from edge_sr.video.encode.workfolder import WorkFolder

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no POSIX locks")


on_windows = pytest.mark.usefixtures("windows")


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")


@on_posix
def test_a_lock_is_one_handles_alone_until_that_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    one = os.open(path, os.O_RDWR | os.O_CREAT)
    other = os.open(path, os.O_RDWR)
    assert posix.lock_handle(one) is True
    assert posix.lock_handle(other) is False
    os.close(one)
    assert posix.lock_handle(other, wait=True) is True
    os.close(other)


@on_windows
def test_without_locks_nobody_has_one(tmp_path: Path) -> None:
    handle = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    assert posix.lock_handle(handle) is None
    os.close(handle)


@on_windows
def test_without_owners_a_folder_counts_as_ones_own(tmp_path: Path) -> None:
    assert not posix.has_owners()
    assert posix.is_own(os.stat_result((0, 0, 0, 0, 12345, 0, 0, 0, 0, 0)))
    assert posix.is_own_folder(tmp_path.stat())


@on_windows
def test_a_work_folder_does_without_its_lock(tmp_path: Path) -> None:
    for _ in range(2):
        work = WorkFolder(tmp_path / "film.mkv")
        work.open({"input": {"name": "film"}}, resume=True, overwrite=False)
        work.close()


@on_posix
def test_with_locks_two_runs_do_not_share_one(tmp_path: Path) -> None:
    first, second = WorkFolder(tmp_path / "film.mkv"), WorkFolder(tmp_path / "film.mkv")
    first.open({"input": {"name": "film"}}, resume=True, overwrite=False)
    with pytest.raises(OutputExistsError, match="another run"):
        second.open({"input": {"name": "film"}}, resume=True, overwrite=False)
    first.close()


@on_posix
@pytest.mark.usefixtures("without_locks")
def test_engines_are_refused_where_the_file_system_has_no_locks(tmp_path: Path) -> None:
    with pytest.raises(OutputFolderError, match="EDGE_SR_CACHE"), exclusive(tmp_path / "lock"):
        pass


@on_windows
def test_engines_are_refused_where_they_cannot_be_kept_private(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="Linux only"):
        open_folder(tmp_path / "engines")
    with pytest.raises(MissingError, match="no file locks"), exclusive(tmp_path / "lock"):
        pass


@on_windows
def test_peak_memory_is_none_where_nobody_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sr.machine.memory.STATUS", tmp_path / "absent")
    assert peak_rss_mb() is None
