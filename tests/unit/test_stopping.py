"""Signals that end a run: how many, and which."""

from __future__ import annotations

import subprocess
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no such signals", allow_module_level=True)

# Gets the signals named one after the other, with a moment between them, and says what it was told.
SCRIPT = """
import os, signal, sys, time
from edge_sr.cli.terminal.interrupts import stopping

if "nohup" in sys.argv:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
with stopping(print, "stopping") as stop:
    for name in sys.argv[1:]:
        if name != "nohup":
            os.kill(os.getpid(), getattr(signal, name))
            time.sleep(0.1)
    print("ended" if stop.is_set() else "went on")
"""


def told(*words: str) -> tuple[int, list[str]]:
    command = [sys.executable, "-u", "-c", SCRIPT, *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout.split("\n")[:-1]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_one_asks_for_the_end(name: str) -> None:
    assert told(name) == (0, ["stopping", "ended"])


def test_two_end_it_at_once() -> None:
    assert told("SIGTERM", "SIGINT") == (130, ["stopping"])


def test_a_terminal_that_closes_hangs_up_more_than_once() -> None:
    assert told("SIGHUP", "SIGHUP") == (0, ["stopping", "ended"])


def test_nohup_is_heeded() -> None:
    assert told("nohup", "SIGHUP") == (0, ["went on"])
