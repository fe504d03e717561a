"""Memory that runs out is told as such, and never as a bad bundle."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from edge_sr.errors import DiskFullError, MemoryLimitError, OptionError, ResourceError, as_ours

# Opens and runs a network with so many megabytes left, and prints the class of what comes.
SCRIPT = """
import resource, sys
import numpy as np
import onnxruntime
import edge_sr.backends.onnxruntime.runner
from edge_sr import Upscaler

taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + int(sys.argv[1]) * 1_000_000,) * 2)
try:
    with Upscaler("diinn-nano", backend="onnxruntime", precision="fp32", threads=1) as up:
        up(np.zeros((300, 400, 3), np.uint8), scale=2)
except Exception as error:
    print(type(error).__name__)
else:
    print("enough")
"""

# Starts threads until there is no room for another, and prints what that is told as.
THREADS = """
import resource, threading
from edge_sr.errors import as_ours

taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 40_000_000,) * 2)
until = threading.Event()
try:
    while True:
        threading.Thread(target=until.wait, daemon=True).start()
except RuntimeError as error:
    until.set()
    print(type(as_ours(error)).__name__, as_ours(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts pages as Linux does")
def test_no_room_for_another_thread() -> None:
    command = [sys.executable, "-c", THREADS]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.stdout.startswith("ResourceError no room for another thread"), ended.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="counts pages as Linux does")
def test_onnxruntime_out_of_memory() -> None:
    found = set()
    for megabytes in (2, 8, 16, 32, 64):
        ended = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(megabytes)], capture_output=True, text=True, timeout=120
        )
        found.add(ended.stdout.strip())
        assert ended.stderr == ""
    assert "MemoryLimitError" in found
    assert found <= {"MemoryLimitError", "MemoryError", "enough"}


def test_errors_of_the_system_have_their_exit_codes() -> None:
    assert isinstance(as_ours(MemoryError()), MemoryLimitError)
    assert isinstance(as_ours(OSError(errno.ENOMEM, "x")), MemoryLimitError)
    full = as_ours(OSError(errno.ENOSPC, "x"))
    assert isinstance(full, DiskFullError) and str(full).startswith("no space left here: ")
    gone = as_ours(FileNotFoundError(errno.ENOENT, "No such file or directory", "/gone/file"))
    assert type(gone) is ResourceError and "/gone/file" in str(gone)
    own = OptionError("x")
    assert as_ours(own) is own
    assert as_ours(IndexError()) is None
    assert as_ours(RuntimeError("x")) is None
