"""How much memory there is, and refusing what would not fit before it is begun."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from edge_sr.errors import MemoryLimitError
from edge_sr.machine.control_groups import memory_left

# What the interpreter, the libraries and a small network take.
BASE_BYTES = 400 << 20
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
OUT_OF_MEMORY = ("alloc", "out of memory", "not enough memory", "resource temporarily unavailable")


def available_bytes() -> int | None:
    """Memory that this process may still take, its container's limit heeded; None where nobody says."""
    known = [amount for amount in (_system(), memory_left()) if amount is not None]
    return min(known) if known else None


def require_bytes(need: int, what: str) -> None:
    """``MemoryLimitError`` when ``need`` is more than there is."""
    have = available_bytes()
    if have is not None and need > have:
        raise MemoryLimitError(
            f"{what} needs about {need / 2**30:.1f} GiB of memory and {have / 2**30:.1f} GiB are free: "
            "use a smaller scale or --region"
        )


def ran_out(error: BaseException) -> bool:
    """Whether a library that knows no better error means that memory, or room for threads, is gone."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in OUT_OF_MEMORY)


def forget_peak_rss() -> None:
    """Start the largest resident set anew where the system can (Linux); elsewhere it is that of the whole process."""
    with contextlib.suppress(OSError):
        CLEAR.write_text("5")


def peak_rss_mb() -> float | None:
    """The largest resident set of this process so far, in MB of 10^6 bytes; None where nobody says."""
    with contextlib.suppress(OSError):
        lines = STATUS.read_text().splitlines()
        line = next((line for line in lines if line.startswith("VmHWM")), None)
        if line is not None:
            return round(int(line.split()[1]) * 1024 / 1e6, 1)
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def _system() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
