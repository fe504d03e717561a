"""One builder at a time for each engine, across processes; a lock dies with the process that holds it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_sr.errors import MissingError, OutputFolderError


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file ``path``; ``waiting`` is called once when another process holds it.

    Raises ``OutputFolderError`` where no such file can be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OutputFolderError(
            f"the engine cache cannot be locked ({path}: {error.strerror}): set EDGE_SR_CACHE to another folder"
        ) from error
    try:
        if not _try(handle):
            if waiting is not None:
                waiting()
            _wait(handle)
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock file now."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try(handle)
    finally:
        os.close(handle)


def _try(handle: int) -> bool:
    try:
        fcntl = _fcntl()
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(handle: int) -> None:
    fcntl = _fcntl()
    fcntl.flock(handle, fcntl.LOCK_EX)


def _fcntl() -> Any:
    try:
        return importlib.import_module("fcntl")
    except ImportError as error:
        raise MissingError("engines are built and kept on Linux only: no file locks (fcntl) here") from error
