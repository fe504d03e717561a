"""A file is there whole or not at all, and where it cannot be written, one of our errors says why."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from edge_sr.errors import (
    OUT_OF_DISK,
    DiskFullError,
    EdgeSRError,
    MemoryLimitError,
    OutputFolderError,
    ResourceError,
)
from edge_sr.files.drafts import drafting
from edge_sr.files.durable import to_disk
from edge_sr.files.posix import NO_FOLLOWING

# What the file systems in use hold, in bytes.
LONGEST_NAME = 255
# What a better chosen place would mend; all else is the machine's fault.
_NO_PLACE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def write_whole(
    path: Path,
    content: bytes | Iterable[bytes],
    *,
    draft: Path | None = None,
    mode: int = 0o666,
    advice: str = "free some and run again",
) -> None:
    """Replace ``path`` in one step, flushed to disk first, so that a kill leaves the old file or the new one.

    ``content`` may come in parts, so that it need not be in memory at once. ``draft``: where it grows, beside ``path``,
    by default a draft (``files.drafts``); whatever lies there is replaced. ``mode``: its permissions before the umask;
    ``advice``: what to do about a full disk. Raises ``DiskFullError``, ``OutputFolderError``, or ``ResourceError`` when
    the folder goes meanwhile or the machine fails otherwise, and leaves ``path`` as it was.
    """
    had_folder = path.parent.is_dir()
    try:
        with (
            _taking_place(path, drafting(path, mode) if draft is None else _named(draft, mode)) as growing,
            open(growing, "wb") as file,
        ):
            file.writelines([content] if isinstance(content, bytes) else content)
    except OSError as error:
        if had_folder and error.errno == errno.ENOENT:
            raise ResourceError(f"{path} cannot be written: its folder is gone") from error
        raise _explained(path, error, advice) from error


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yields an empty file beside ``target``; it takes its place when all went well, else it goes.

    Raises what ``writing`` does.
    """
    with writing(str(target)), _taking_place(target, drafting(target)) as draft:
        yield draft


@contextlib.contextmanager
def kept_beside(path: Path, suffix: str) -> Iterator[Path]:
    """Yields an empty file beside ``path``, for this user alone, that goes when the block ends.

    Raises what ``writing`` does.
    """
    with contextlib.ExitStack() as stack:
        with writing(str(path)):
            kept = stack.enter_context(drafting(path.with_suffix(suffix), 0o600))
        yield kept


@contextlib.contextmanager
def writing(name: str) -> Iterator[None]:
    """Raises ``DiskFullError`` or ``ResourceError``, naming ``name``, for what goes wrong inside.

    That is what the system refuses, and FFmpeg, whose errors tell as much.
    """
    try:
        yield
    except EdgeSRError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and not hasattr(error, "strerror"):
            raise
        raise _refusal(name, error) from error


def _refusal(name: str, error: Any) -> ResourceError:
    if error.errno in OUT_OF_DISK:
        return DiskFullError(f"no space left for {name}: free some")
    if error.errno == errno.ENOMEM:
        return MemoryLimitError(f"not enough memory to write {name}: use a smaller size")
    return ResourceError(f"{name} cannot be written: {error.strerror or error}")


@contextlib.contextmanager
def _taking_place(path: Path, draft: AbstractContextManager[Path]) -> Iterator[Path]:
    with draft as growing:
        yield growing
        to_disk(growing)
        growing.replace(path)
        to_disk(path.parent)


@contextlib.contextmanager
def _named(draft: Path, mode: int) -> Iterator[Path]:
    try:
        draft.unlink(missing_ok=True)
        create_exclusively(draft, mode)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def create_exclusively(path: Path, mode: int) -> None:
    """Nobody else's file, and no link, is ever opened."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOWING, mode))


def fitting_name(stem: str, ending: str) -> str:
    """``stem`` and ``ending`` as a file name; a stem too long for one is cut, and told apart by a hash."""
    room = LONGEST_NAME - len(os.fsencode(ending))
    name = os.fsencode(stem)
    if len(name) <= room:
        return stem + ending
    digest = hashlib.sha256(name).hexdigest()[:8]
    return name[: room - 9].decode("utf-8", "ignore") + "-" + digest + ending


def _explained(path: Path, error: OSError, advice: str) -> EdgeSRError:
    if error.errno in OUT_OF_DISK:
        return DiskFullError(f"no space left for {path}: {advice}")
    kind = OutputFolderError if error.errno in _NO_PLACE | _REFUSED else ResourceError
    return kind(f"{path} cannot be written: {error.strerror}")
