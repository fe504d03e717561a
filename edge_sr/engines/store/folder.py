"""The folder that engines lie in, and why it must be the user's alone: loading an engine runs its code."""

from __future__ import annotations

import stat
from pathlib import Path

from edge_sr.errors import EngineError, MissingError, OutputFolderError
from edge_sr.files.atomic import write_whole
from edge_sr.files.posix import has_owners, is_own


def open_folder(folder: Path) -> Path:
    """The folder, made for this user alone when absent; refuses one that others can write to.

    Raises ``MissingError`` on systems without POSIX owners and permissions.
    """
    if not has_owners():
        raise MissingError("engines are built and run on Linux only; here use --backend onnxruntime")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputFolderError(
            f"the engine store {folder} cannot be made: {error.strerror}; set EDGE_SR_CACHE"
        ) from error
    require_private(folder)
    return folder


def require_private(path: Path) -> None:
    """``EngineError`` when another user could have put or changed what lies at ``path``."""
    real = path.resolve()
    status = real.stat()
    if not is_own(status) and status.st_uid != 0:
        raise EngineError(
            f"engine store {path} belongs to another user: an engine is code; set EDGE_SR_CACHE"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EngineError(f"others can write to {path}, and an engine is code: chmod go-w {path}")
    for parent in real.parents:
        _require_sticky_or_closed(parent, path)


def _require_sticky_or_closed(parent: Path, path: Path) -> None:
    mode = parent.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise EngineError(
            f"others can replace {path}, because anyone can write to {parent}: chmod o-w {parent}"
        )


def write_private(path: Path, data: bytes) -> None:
    """Write a file of the store whole or not at all; what a kill leaves is found by its ``.part``."""
    draft = path.with_name(path.name + ".part")
    write_whole(path, data, draft=draft, mode=0o600, advice="edge-sr engines prune, or set EDGE_SR_CACHE")
