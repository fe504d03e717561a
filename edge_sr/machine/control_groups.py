"""Limits that Linux sets for a group of processes, as containers and systemd's units are: memory and cores.

A group is limited by those above it too. Where a container hides its place, what it sees is its own group.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

MOUNTED = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def memory_left() -> int | None:
    """Bytes that the narrowest limit leaves, None without one: page cache that the system would give up is free."""
    left = []
    for controller, limit, used, inactive in (
        ("", "memory.max", "memory.current", "inactive_file"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        for group in _groups(controller):
            with contextlib.suppress(OSError, ValueError):
                allowed, taken = int(_read(group / limit)), int(_read(group / used))
                left.append(max(0, allowed - max(0, taken - _counter(group / "memory.stat", inactive))))
    return min(left, default=None)


def cores_allowed() -> int | None:
    """Cores whose time the narrowest quota covers, at least one; None without one."""
    found = []
    for group in _groups(""):
        with contextlib.suppress(OSError, ValueError):
            quota, period = map(int, _read(group / "cpu.max").split())
            found.append(quota // period)
    for group in _groups("cpu"):
        with contextlib.suppress(OSError, ValueError):
            # No quota is -1.
            quota, period = (int(_read(group / f"cpu.cfs_{name}_us")) for name in ("quota", "period"))
            found.extend([quota // period] if quota > 0 else [])
    return max(1, min(found)) if found else None


def _groups(controller: str) -> Iterator[Path]:
    """The folders of this process's group and of those above it: of version 2, or of a controller of version 1."""
    top = MOUNTED / controller
    own = top / _path(controller).lstrip("/")
    for folder in (own, *own.parents):
        if folder == top or top in folder.parents:
            yield folder


def _path(controller: str) -> str:
    """The group's path as /proc has it; version 2's line names no controller."""
    with contextlib.suppress(OSError, ValueError):
        for line in _read(OWN).splitlines():
            _, names, path = line.split(":", 2)
            # What is not below the mounted part is told by dots.
            if controller in names.split(",") and ".." not in path:
                return path
    return ""


def _counter(statistics: Path, name: str) -> int:
    """One number of a group's ``memory.stat``; 0 where it is not said."""
    with contextlib.suppress(OSError):
        for line in _read(statistics).splitlines():
            found, _, amount = line.partition(" ")
            if found == name:
                return int(amount)
    return 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape").strip()
