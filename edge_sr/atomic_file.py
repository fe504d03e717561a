"""A file is there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from edge_sr.errors import DiskFullError, OutputFolderError


def write_whole(
    path: Path,
    content: bytes,
    *,
    draft: Path | None = None,
    mode: int = 0o666,
    advice: str = "free some and run again",
) -> None:
    """Replace ``path`` in one step, flushed to disk first, so that a kill leaves the old file or the new one.

    ``draft``: where it grows, beside ``path`` (by default hidden, and this process's own); ``mode``: its
    permissions before the umask; ``advice``: what to do about a full disk. Raises ``DiskFullError`` or
    ``OutputFolderError`` and leaves ``path`` as it was.
    """
    draft = draft or path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _explained(path, error, advice) from error


def _explained(path: Path, error: OSError, advice: str) -> DiskFullError | OutputFolderError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(f"no space left for {path}: {advice}")
    return OutputFolderError(f"{path} cannot be written: {error.strerror}")
