"""JSON from files that anybody may have written: what is wrong with one is an ``OSError`` or a ``ValueError``."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

MOST_BYTES = 64 << 20


def read_regular(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """The whole of a regular file; ``OSError`` for anything else, a pipe that nobody writes to included."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if status.st_size > most_bytes:
            raise OSError(errno.EFBIG, f"larger than {most_bytes} bytes", str(path))
        # Room is taken for as many bytes as are asked for.
        return file.read(min(status.st_size + 1, most_bytes))


def read_json(path: Path, most_bytes: int = MOST_BYTES) -> Any:
    """The value in a UTF-8 file; ``ValueError`` for what is not JSON, nested too deeply or with endless numbers."""
    try:
        return json.loads(read_regular(path, most_bytes))
    except RecursionError as error:
        raise ValueError("nested too deeply to be read") from error
