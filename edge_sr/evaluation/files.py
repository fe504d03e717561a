"""A result file is there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from edge_sr.errors import DiskFullError, OutputFolderError


def write_whole(path: Path, content: bytes) -> None:
    """Write beside ``path`` and rename; ``DiskFullError`` or ``OutputFolderError`` when that cannot be."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        if error.errno == errno.ENOSPC:
            raise DiskFullError(f"no space left for {path}: free some and run again") from error
        raise OutputFolderError(f"{path} cannot be written: {error.strerror}") from error
