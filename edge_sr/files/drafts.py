"""Drafts: files and folders that grow beside the place they get when whole. Those of killed runs are taken away.

A draft is known by its name, which holds a digest of a random number and this machine's name: no file of anybody else
has one like it, and none that another machine wrote to a shared disk. Its run holds a lock on it, which ends with the
run however that ends. Whoever makes a draft in a folder first removes those there that nobody holds. Where the
file system has no locks, drafts of killed runs stay: nothing tells them from those that are being written.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edge_sr.errors import OUT_OF_DISK
from edge_sr.files.durable import to_disk
from edge_sr.files.posix import NO_FOLLOWING, is_open_at, is_own, is_own_folder, locked_folder, try_lock

_NAME = re.compile(r"\.edge-sr-([0-9a-f]{16})([0-9a-f]{16})(\..*)?", re.DOTALL)
# The draft of a folder is locked by a file beside it, which names the folder that it becomes, if any.
_FOLDER, _REPLACED = ".folder", ".replaced"
_FLAGS = os.O_RDWR | NO_FOLLOWING | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
# The folders that this process has looked through: name, device and inode, as an inode is another folder's in time.
_swept: set[tuple[Path, int, int]] = set()


@contextlib.contextmanager
def drafting(path: Path, mode: int = 0o666) -> Iterator[Path]:
    """Yields an empty file beside ``path``, hidden, with its suffix, to be renamed over it; if it is not, it goes.

    ``mode``: its permissions before the umask. Raises ``OSError`` where none can be made.
    """
    _sweep_once(path.parent)
    draft, lock = _locked_draft(path, mode)
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


@contextlib.contextmanager
def drafting_folder(target: Path) -> Iterator[Path]:
    """Yields an empty folder beside ``target`` that takes its place when the block ends, and goes if it fails.

    A folder that was there before is kept until the new one is in its place. Raises ``OSError`` where none can be made.
    """
    with _marked_folder(target.parent, target.name, 0o777) as draft:
        yield draft
        for path in draft.rglob("*"):
            to_disk(path)
        _take_place(draft, target, draft.with_suffix(_REPLACED))
        to_disk(target.parent)


@contextlib.contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Yields an empty folder in ``parent``, hidden and for this user alone, which goes when the block ends.

    Without ``parent`` it is the system's folder for temporary files. Raises ``OSError`` where none can be made.
    """
    with _marked_folder(parent or Path(tempfile.gettempdir()), "", 0o700) as folder, locked_folder(folder):
        yield folder


@contextlib.contextmanager
def _marked_folder(parent: Path, becomes: str, mode: int) -> Iterator[Path]:
    with drafting(parent / f"any{_FOLDER}") as lock:
        lock.write_bytes(os.fsencode(becomes))
        folder = lock.with_suffix("")
        folder.mkdir(mode)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def takes_files(folder: Path) -> bool:
    """Whether a file can be made in ``folder``: one is, and taken away, for permissions alone do not tell.

    A superuser may write to all, but not to every file system, nor where a server or a container says no.
    """
    if not os.access(folder, os.W_OK):
        return False
    try:
        with drafting(folder / "any"):
            return True
    except OSError as error:
        # A full disk, or too many open files, is told as such by whoever comes to write.
        return error.errno in (*OUT_OF_DISK, errno.EMFILE, errno.ENFILE)


def remove_dead_drafts(folder: Path) -> None:
    """Removes the drafts of killed runs from ``folder``, as far as they can be told and deleted."""
    try:
        found = [path for path in folder.iterdir() if _is_sealed(path.name)]
    except OSError:
        return
    for path in found:
        with contextlib.suppress(OSError):
            _remove_if_dead(path)


def _sweep_once(folder: Path) -> None:
    with contextlib.suppress(OSError):
        facts = folder.stat()
        identity = (folder.absolute(), facts.st_dev, facts.st_ino)
        if identity not in _swept:
            _swept.add(identity)
            remove_dead_drafts(folder)


def _seal(token: str) -> str:
    return hashlib.sha256(f"edge-sr draft {token} {platform.node()}".encode()).hexdigest()[:16]


def _is_sealed(name: str) -> bool:
    found = _NAME.fullmatch(name)
    return found is not None and found[2] == _seal(found[1])


def _locked_draft(path: Path, mode: int) -> tuple[Path, int | None]:
    """A new file and the handle that locks it, None where there are no locks."""
    while True:
        token = secrets.token_hex(8)
        draft = path.with_name(f".edge-sr-{token}{_seal(token)}{path.suffix}")
        handle = os.open(draft, _FLAGS | os.O_CREAT | os.O_EXCL, mode)
        taken = try_lock(handle)
        if taken and is_open_at(draft, handle):
            return draft, handle
        os.close(handle)
        if taken is None:
            return draft, None
        # Another run took it for a dead one's in the moment before it was locked.
        draft.unlink(missing_ok=True)


def _remove_if_dead(path: Path) -> None:
    handle = os.open(path, _FLAGS)
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or not is_own(facts):
            return
        if try_lock(handle) and is_open_at(path, handle):
            if path.suffix == _FOLDER:
                _remove_folders(path)
            path.unlink()
    finally:
        os.close(handle)


def _remove_folders(lock: Path) -> None:
    """What a killed run's folder came to; one that it was about to replace is put back."""
    draft, replaced, name = lock.with_suffix(""), lock.with_suffix(_REPLACED), lock.read_bytes()
    if _is_own_folder(replaced):
        target = lock.with_name(os.fsdecode(name))
        if target.parent == lock.parent and not os.path.lexists(target):
            replaced.rename(target)
        shutil.rmtree(replaced, ignore_errors=True)
    if _is_own_folder(draft):
        shutil.rmtree(draft, ignore_errors=True)


def _is_own_folder(path: Path) -> bool:
    try:
        facts = os.lstat(path)
    except OSError:
        return False
    return is_own_folder(facts)


def _take_place(draft: Path, target: Path, replaced: Path) -> None:
    if not target.exists():
        draft.rename(target)
        return
    target.rename(replaced)
    try:
        draft.rename(target)
    except OSError:
        replaced.rename(target)
        raise
    shutil.rmtree(replaced)
