"""The process's one OpenVINO core."""

from __future__ import annotations

import functools
from typing import Any

from edge_sr.machine.optional import require


@functools.cache
def process_core() -> Any:
    """The core that all graphs of this process are compiled by; raises ``MissingError`` without OpenVINO.

    On Linux each core's CPU plugin gives the thread that opens it a signal stack, and puts back the one before when it
    goes. Of two that go in the order they came, the second puts back what the first had freed: the next signal, Ctrl-C
    say, ends the process with a segmentation fault (seen with OpenVINO 2026.4.1). So there is one, and it stays.
    """
    return require("openvino", "the OpenVINO backend").Core()
