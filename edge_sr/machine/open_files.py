"""Who on this machine has a file open, as far as Linux shows it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PROCESSES = Path("/proc")
# open(2)'s O_ACCMODE on Linux, which alone has such entries.
ACCESS_MODE = 3


def is_open_for_writing(path: Path) -> bool:
    """Whether a process on this machine is writing the file; False too for those that may not be looked into."""
    try:
        facts = path.stat()
    except OSError:
        return False
    return any(os.path.samestat(facts, found) and _writes(entry) for entry, found in _open_files())


def _open_files() -> Iterator[tuple[Path, os.stat_result]]:
    """Every process's entry for a file that it has open, and what that file is."""
    for process in PROCESSES.glob("[0-9]*"):
        try:
            entries = list((process / "fd").iterdir())
        except OSError:
            continue
        for entry in entries:
            with contextlib.suppress(OSError):
                yield entry, entry.stat()


def _writes(entry: Path) -> bool:
    """Whether the file was opened for writing: proc(5) gives the flags in octal."""
    try:
        text = (entry.parents[1] / "fdinfo" / entry.name).read_text()
    except OSError:
        return False
    flags = next((line.split()[1] for line in text.splitlines() if line.startswith("flags:")), "0")
    return int(flags, 8) & ACCESS_MODE != os.O_RDONLY
