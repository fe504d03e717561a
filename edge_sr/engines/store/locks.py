"""One builder at a time for each engine, across processes; a lock dies with the process that holds it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_sr.errors import MissingError, OutputFolderError
from edge_sr.files.posix import lock_handle


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file ``path``; ``waiting`` is called once when another process holds it.

    Raises ``OutputFolderError`` where no such file can be made or locked.
    """
    with _lockable(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _try(path, handle):
            if waiting is not None:
                waiting()
            _try(path, handle, wait=True)
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock file now."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _try(path, handle)
    finally:
        os.close(handle)


@contextmanager
def _lockable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputFolderError(
            f"the engine cache cannot be locked ({path}: {error.strerror}): set EDGE_SR_CACHE to another folder"
        ) from error


def _try(path: Path, handle: int, *, wait: bool = False) -> bool:
    with _lockable(path):
        taken = lock_handle(handle, wait=wait)
    if taken is None:
        raise MissingError("engines are built and kept on Linux only: there are no file locks here")
    return taken
