"""The command line's words again, as a line that a person can paste."""

from __future__ import annotations

import shlex
from fractions import Fraction

from edge_sr.errors import OptionError


def parse_rate(text: str) -> Fraction:
    """Frames a second, as a number or a fraction; ``OptionError`` for anything else."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise OptionError(f"--framerate must be frames a second, such as 25 or 30000/1001, found {text!r}")
    return rate


def command_to_go_on(arguments: list[str]) -> str:
    """The command line that goes on with this run, quoted for a shell.

    ``arguments`` are those that the run was started with, without the program's name.
    """
    more = [] if "--resume" in arguments else ["--resume"]
    return shlex.join(["edge-sr", *arguments, *more])
