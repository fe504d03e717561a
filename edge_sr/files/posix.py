"""What Windows lacks of files, in one place: locks that die with their process, owners, and notes on a file."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path


def lock_handle(handle: int, *, wait: bool = False) -> bool | None:
    """Locks an open file for this process alone; False where another has it and ``wait`` is not given.

    None where the system has no such locks. Raises ``OSError`` where the file system has none.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def try_lock(handle: int) -> bool | None:
    """As ``lock_handle`` without waiting, and None where the file system has no locks either."""
    try:
        return lock_handle(handle)
    except OSError:
        return None


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """While it is locked systemd-tmpfiles, which clears away what was not used for days, leaves a folder alone."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try_lock(handle)
        yield
    finally:
        os.close(handle)


def is_open_at(path: Path, handle: int) -> bool:
    """Whether an open file still lies at ``path``: it may have been removed or replaced since it was opened."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


def has_owners() -> bool:
    """Whether files have owners and permissions that say who may change them."""
    return sys.platform != "win32"


def is_own(facts: os.stat_result) -> bool:
    """Whether a file is this user's; always where files have no owners."""
    return sys.platform == "win32" or facts.st_uid == os.geteuid()


def is_own_folder(facts: os.stat_result) -> bool:
    return stat.S_ISDIR(facts.st_mode) and is_own(facts)


# Opening a link itself fails with it; where there is no such flag, links are looked for before.
NO_FOLLOWING: int = getattr(os, "O_NOFOLLOW", 0)


def write_note(path: Path, name: str, text: str) -> None:
    """Puts a note on a file, as an extended attribute of its user; without a word where those are not to be had."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setxattr(path, f"user.{name}", text.encode())


def read_note(path: Path, name: str) -> str | None:
    """The note on a file, None where there is none."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return os.getxattr(path, f"user.{name}").decode()
    return None
