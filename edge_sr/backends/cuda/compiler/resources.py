"""What each kernel takes of an SM, as the assembler said it when it was compiled."""

from __future__ import annotations

import re
from dataclasses import dataclass

_KERNEL = re.compile(
    r"Compiling entry function '(?P<name>\w+)'.*?"
    r"(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
    r"Used (?P<registers>\d+) registers",
    re.DOTALL,
)


@dataclass(frozen=True)
class Resources:
    """``spilled``: bytes of registers kept in memory, stored and loaded again."""

    name: str
    registers: int
    spilled: int


def read_resources(log: str) -> list[Resources]:
    """From the log of ``compile_with_log``; nothing for PTX, which no assembler has seen yet."""
    return [
        Resources(found["name"], int(found["registers"]), int(found["stores"]) + int(found["loads"]))
        for found in _KERNEL.finditer(log)
    ]
