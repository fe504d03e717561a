"""How the system schedules this process's threads: SVT-AV1 makes all it can real-time where it runs as root.

Whoever opens that encoder is among them, and what he starts afterwards: nothing else on the machine gets a turn.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

TASKS = Path("/proc/self/task")
# A policy and its priority, by a thread's number.
Policies = dict[int, tuple[int, int]]


@contextlib.contextmanager
def keeping_scheduling() -> Iterator[None]:
    """Undoes what the block changes of any thread's policy; threads that it starts get that of the one that runs it."""
    before = _policies()
    try:
        yield
    finally:
        own = before.get(threading.get_native_id())
        for thread, policy in _policies().items():
            wanted = before.get(thread, own)
            if wanted is not None and wanted != policy:
                _set_policy(thread, *wanted)


def _policies() -> Policies:
    """Of all threads, where the system tells and lets root alone change them: nobody else needs this."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return {}
    found: Policies = {}
    for thread in _threads():
        with contextlib.suppress(OSError):  # it ended meanwhile
            found[thread] = os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority
    return found


def _threads() -> list[int]:
    """All of this process; the calling one alone where /proc is not mounted, as in a bare chroot."""
    try:
        return [int(path.name) for path in TASKS.iterdir()]
    except OSError:
        return [threading.get_native_id()]


def _set_policy(thread: int, policy: int, priority: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(thread, policy, os.sched_param(priority))
