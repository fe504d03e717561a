"""Copies of an input on nodes that do not see it: whole, this user's alone, and gone when nobody uses them."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ray = pytest.importorskip("ray")

from edge_sr.errors import ResourceError
from edge_sr.farm.films.transfer import PART_BYTES, InputServer, digest_of, local_input, remove_copy

pytestmark = pytest.mark.usefixtures("cluster")
CONTENT = os.urandom(PART_BYTES + 12345)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What ``local_input`` reads of a film's job whose input this node does not see."""
    (tmp_path / "film.mkv").write_bytes(CONTENT)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    server = ray.remote(InputServer).options(num_cpus=0).remote(str(tmp_path / "film.mkv"))
    request = SimpleNamespace(input="/elsewhere/film.mkv")
    yield SimpleNamespace(request=request, identity={"size": len(CONTENT)}, source=server)
    ray.kill(server)


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    return tmp_path / "temporary" / f"edge-sr-inputs-{os.getuid()}"


def test_a_copy_is_whole_and_fetched_once(job: Any, copies: Path) -> None:
    copy = Path(local_input(job))
    assert copy.read_bytes() == CONTENT and copy.name == "film.mkv"
    assert {path.name for path in copy.parent.iterdir()} == {"film.mkv", "lock"}
    assert [path.stat().st_mode & 0o077 for path in (copies, copy.parent, copy)] == [0, 0, 0]
    made = copy.stat().st_mtime_ns
    assert local_input(job) == str(copy) and copy.stat().st_mtime_ns == made
    remove_copy(digest_of(job.identity))
    assert not copy.parent.exists()


def test_a_link_in_the_folders_place_is_refused(job: Any, copies: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    copies.symlink_to(tmp_path / "victim")
    with pytest.raises(ResourceError, match=r"edge-sr-inputs.* must be a folder of your own"):
        local_input(job)
    remove_copy(digest_of(job.identity))
    assert not any((tmp_path / "victim").iterdir())


def test_a_folder_that_others_may_write_to_is_refused(job: Any, copies: Path) -> None:
    copies.mkdir()
    copies.chmod(0o777)
    with pytest.raises(ResourceError, match="nobody else may write to"):
        local_input(job)


def test_copies_that_nobody_has_used_for_a_day_go_with_the_next(job: Any, copies: Path) -> None:
    for name in ("left", "used"):
        (copies / name).mkdir(parents=True)
        (copies / name / "other.mkv").write_bytes(b"film")
    os.utime(copies / "left", (0, time.time() - 25 * 3600))
    copies.chmod(0o700)
    local_input(job)
    assert {path.name for path in copies.iterdir()} == {"used", digest_of(job.identity)}
