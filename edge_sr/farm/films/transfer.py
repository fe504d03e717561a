"""The input on nodes that do not see it: a copy fetched through Ray's object store, part by part, once a node."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import EdgeSRError, MediaError, ResourceError
from edge_sr.farm.films.job import FilmJob
from edge_sr.farm.nodes.trial import sees
from edge_sr.files.atomic import writing
from edge_sr.files.drafts import drafting
from edge_sr.files.posix import has_owners, is_own_folder, lock_handle
from edge_sr.video.opening import is_opened_by_name

PART_BYTES = 8 << 20
UNUSED_SECONDS = 24 * 3600


class InputServer:
    """Reads parts of one file, on the machine that has it; an actor."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def size(self) -> int:
        return self._path.stat().st_size

    def part(self, number: int) -> NDArray[np.uint8]:
        """Bytes from ``number * PART_BYTES`` on; fewer at the end."""
        return np.fromfile(self._path, dtype=np.uint8, count=PART_BYTES, offset=number * PART_BYTES)


def local_input(job: FilmJob) -> str:
    """The input's name on this node: its own where that is the same film, else that of a copy.

    Raises ``ResourceError`` where no copy can be made or the folder for them is not this user's alone.
    """
    given = job.request.input
    if job.source is None or sees(given, job.identity):
        return given
    name = Path(given).name
    with writing(f"the copy of {name}"):
        copies = _copies()
        target = copies / digest_of(job.identity) / name
        if not target.exists():
            _remove_unused(copies)
            _fetch(job.source, target)
        os.utime(target.parent)
    return str(target)


def can_travel(name: str) -> bool:
    """Whether the input is a single file: a list, a sequence and an address name others."""
    path = Path(name)
    if is_opened_by_name(name) or not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(16)
    return not head.startswith((b"#EXTM3U", b"ffconcat"))


def remove_copy(digest: str) -> None:
    """Deletes this node's copy of an input, if it has one."""
    with contextlib.suppress(OSError, EdgeSRError):
        shutil.rmtree(_copies() / digest, ignore_errors=True)


def digest_of(identity: dict[str, Any]) -> str:
    """A folder's name for the copies of an input."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _copies() -> Path:
    """This user's folder of them: in one that others may write to, they could plant links and films."""
    owner = os.getuid() if hasattr(os, "getuid") else os.getlogin()
    folder = Path(tempfile.gettempdir()) / f"edge-sr-inputs-{owner}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    facts = os.lstat(folder)
    if not is_own_folder(facts) or (has_owners() and facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise ResourceError(
            f"{folder} must be a folder of your own that nobody else may write to: "
            "remove it on that node, or give its Ray another TMPDIR"
        )
    return folder


def _remove_unused(copies: Path) -> None:
    """What killed drivers left: copies that no piece was begun from for long."""
    for folder in copies.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - os.lstat(folder).st_mtime > UNUSED_SECONDS:
                shutil.rmtree(folder)


def _fetch(source: Any, target: Path) -> None:
    """Made under another name and renamed, while other workers of this node wait."""
    target.parent.mkdir(mode=0o700, exist_ok=True)
    with _locked(target.parent / "lock"):
        if not target.exists():
            with drafting(target, 0o600) as draft:
                with draft.open("wb") as file:
                    for part in _parts(source):
                        file.write(part.data)
                draft.replace(target)


def _parts(source: Any) -> Iterator[NDArray[np.uint8]]:
    """One part under way while another is written."""
    import ray

    size = ray.get(source.size.remote())
    count = -(-size // PART_BYTES)
    if not size:
        raise MediaError("the input is empty on the machine that serves it")
    following = source.part.remote(0)
    for number in range(count):
        current = following
        following = source.part.remote(number + 1) if number + 1 < count else None
        yield ray.get(current)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        lock_handle(file.fileno(), wait=True)
        yield
