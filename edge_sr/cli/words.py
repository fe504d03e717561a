"""The command line's words as values: sizes, regions, times, and the line that goes on with a run."""

from __future__ import annotations

import shlex
from fractions import Fraction

from edge_sr.errors import OptionError


def parse_size(text: str) -> tuple[int, int]:
    """``WxH`` in pixels; ``OptionError`` for anything else."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise OptionError(f"--size must be WxH in pixels, such as 1280x720, found {text!r}")
    return int(parts[0]), int(parts[1])


def parse_region(text: str) -> tuple[int, int, int, int]:
    """``X,Y,W,H`` in input pixels; ``OptionError`` for anything else."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(part.isdecimal() for part in parts):
        raise OptionError(f"--region must be X,Y,W,H in input pixels, such as 0,0,64,36, found {text!r}")
    x, y, width, height = map(int, parts)
    return x, y, width, height


def parse_time(text: str, option: str) -> Fraction:
    """Seconds, or ``[H:]M:S``, as an exact fraction; ``OptionError`` for anything else."""
    parts = text.split(":")
    numbers = [part for part in parts if part.replace(".", "", 1).isdecimal()]
    if len(numbers) != len(parts) or len(parts) > 3 or any("." in part for part in parts[:-1]):
        raise OptionError(f"{option} must be seconds or H:M:S, such as 12.5 or 1:02:03, found {text!r}")
    total = Fraction(0)
    for part in parts:
        total = total * 60 + Fraction(part)
    return total


def command_to_go_on(arguments: list[str]) -> str:
    """The command line that goes on with this run."""
    more = [] if "--resume" in arguments else ["--resume"]
    return shlex.join(["edge-sr", *arguments, *more])
