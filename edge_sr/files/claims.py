"""An output that one run writes at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from edge_sr.errors import OutputExistsError
from edge_sr.files.posix import NO_FOLLOWING, is_open_at, try_lock


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Keeps other runs from ``path`` until the block ends, by a lock on a hidden file beside it.

    The lock dies with its process, so a file that a killed run left hinders nobody. Where there are no locks nothing
    guards against two runs. The folder is made where it is missing. Raises ``OutputExistsError`` where another run
    has the output.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = lock_path(path)
    handle = _locked(beside, path)
    try:
        yield
    finally:
        if handle is not None:
            # While it is held: who opened it meanwhile looks whether it is still there.
            beside.unlink(missing_ok=True)
            os.close(handle)


def lock_path(path: Path) -> Path:
    """The file that is locked for ``path``. It is removed afterwards, so its name is one that no file of a user has."""
    digest = hashlib.sha256(f"edge-sr lock {path.name}".encode(errors="surrogateescape")).hexdigest()
    return path.with_name(f".edge-sr-{digest[:32]}.lock")


def _locked(beside: Path, path: Path) -> int | None:
    """The handle that locks it, None where there are no locks."""
    while True:
        handle = os.open(beside, os.O_RDWR | os.O_CREAT | NO_FOLLOWING, 0o600)
        taken = try_lock(handle)
        if taken and is_open_at(beside, handle):
            return handle
        os.close(handle)
        if taken is None:
            beside.unlink(missing_ok=True)
            return None
        if taken is False:
            raise OutputExistsError(f"another run is writing {path}: wait for it to end, or name another")
