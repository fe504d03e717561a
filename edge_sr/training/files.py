"""Writing a file whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from edge_sr.errors import DiskFullError, OutputFolderError


def write_whole(path: Path, content: bytes) -> None:
    """Replace ``path`` in one step, so that a kill leaves the old file or the new one."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise _explained(path, error) from error


def _explained(path: Path, error: OSError) -> DiskFullError | OutputFolderError:
    if error.errno == errno.ENOSPC:
        return DiskFullError(f"no space left to write {path}; free some and run again with --resume")
    return OutputFolderError(f"{path} cannot be written: {error.strerror}")
