"""What a power cut must keep."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def to_disk(path: Path) -> None:
    """Flushes a file, or the names in a folder where the system can, so that a power cut keeps them."""
    if path.is_dir():
        with contextlib.suppress(OSError):
            _flush(path, os.O_RDONLY)
    else:
        _flush(path, os.O_RDWR)


def _flush(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
