"""What other users of the machine see of a process: its command line, without the secrets in it."""

from __future__ import annotations

import contextlib
import ctypes
from pathlib import Path

from edge_sr.masking import starred

# proc(5): where the arguments begin and end in memory, the 48th and 49th fields.
_ARGUMENTS = slice(45, 47)


def hide_secrets() -> None:
    """Overwrites the secrets of the command line with stars, where the system shows the process's own memory."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = map(int, fields[_ARGUMENTS])
        shown = Path("/proc/self/cmdline").read_bytes()
        if start and len(shown) == end - start:
            _overwrite(start, shown)


def _overwrite(start: int, shown: bytes) -> None:
    hidden = without_secrets(shown)
    if hidden != shown:
        ctypes.memmove(start, hidden, len(hidden))


def without_secrets(shown: bytes) -> bytes:
    """A command line, its arguments ended by zeros, with a star for each byte of a secret, so that nothing moves."""
    parts = shown.split(b"\0")
    return b"\0".join(
        b"*" * len(part) if before == b"--token" else starred(part.decode("latin-1")).encode("latin-1")
        for before, part in zip([b"", *parts], parts, strict=False)
    )
