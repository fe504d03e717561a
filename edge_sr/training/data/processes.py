"""Processes for work on pictures, one a core and each on one thread."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from edge_sr.machine.child import NUMPY_THREADS
from edge_sr.machine.description import available_cores

# Until a process has taken over this one's path, Python, from 3.11 on, then does not look in the current folder.
SAFE_PATH = "PYTHONSAFEPATH"


@contextlib.contextmanager
def picture_processes() -> Iterator[ProcessPoolExecutor]:
    """The pool; with as many threads as cores in each process they would wait for one another."""
    # Not forked: threads of the libraries that are loaded by now would be missing in the copies.
    context = multiprocessing.get_context("spawn")
    before = {name: os.environ.get(name) for name in (*NUMPY_THREADS, SAFE_PATH)}
    os.environ.update(dict.fromkeys(before, "1"))
    try:
        with ProcessPoolExecutor(available_cores(), mp_context=context) as pool:
            yield pool
    finally:
        for name in before:
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if value is not None})
