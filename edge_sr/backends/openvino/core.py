"""The process's one OpenVINO core."""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

from edge_sr.machine.optional import require


def imported_openvino(purpose: str) -> ModuleType:
    """OpenVINO, which tells nobody that it is used; ``MissingError`` without it."""
    # It asks for this package as it is imported, and has a mute one of its own for where there is none.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return require("openvino", purpose)


@functools.cache
def process_core() -> Any:
    """The core that all graphs of this process are compiled by; raises ``MissingError`` without OpenVINO.

    On Linux each core's CPU plugin gives the thread that opens it a signal stack, and puts back the one before when it
    goes. Of two that go in the order they came, the second puts back what the first had freed: the next signal, Ctrl-C
    say, ends the process with a segmentation fault (seen with OpenVINO 2026.4.1). So there is one, and it stays.
    """
    return imported_openvino("the OpenVINO backend").Core()
