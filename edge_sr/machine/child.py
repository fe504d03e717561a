"""Python in a process of its own: on the same packages, not on what lies in the current folder, and ended with this."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

PACKAGES = str(Path(__file__).parents[2])
# What says, as they are loaded, on how many threads the libraries under numpy run.
NUMPY_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
TERMINATED = 128 + signal.SIGTERM


def python_child(code: str, *arguments: str) -> list[str]:
    """The command that runs ``code`` with ``arguments`` as ``sys.argv[1:]`` and with this process's ``sys.path``.

    With ``-c`` and ``-m`` Python would look in the current folder first: a ``numpy.py`` beside pictures would run.
    """
    path = [*filter(None, sys.path), PACKAGES]
    return [sys.executable, "-c", f"import sys; sys.path[:] = {path!r}; {code}", *arguments]


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM raises ``SystemExit``: what waits for a child ends it, and temporary files go.

    Not for long calls into libraries, which Python's handlers wait for. Nothing changes in another thread than the
    main one, or where somebody handles the signal already.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
