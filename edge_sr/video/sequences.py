"""Numbered pictures that are read as one film: which files a pattern such as ``frame%04d.png`` names."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from edge_sr.video.protocols import is_address

# FFmpeg's forms: %d, %5d, %05d.
_NUMBER = re.compile(r"%0?(\d*)d")


def numbered_files(name: str) -> dict[int, Path]:
    """The files of a numbered sequence by number, in order; none for any other name."""
    pattern = Path(name)
    number = _NUMBER.search(pattern.name)
    if is_address(name) or number is None or pattern.exists() or not pattern.parent.is_dir():
        return {}
    digits = f"\\d{{{number[1]},}}" if number[1] else r"\d+"
    before, after = (
        re.escape(part.replace("%%", "%"))
        for part in (pattern.name[: number.start()], pattern.name[number.end() :])
    )
    wanted = re.compile(f"{before}({digits}){after}")
    found = {
        int(match[1]): path for path in pattern.parent.iterdir() if (match := wanted.fullmatch(path.name))
    }
    return dict(sorted(found.items()))


def after_a_gap(files: dict[int, Path]) -> list[Path]:
    """The files that FFmpeg does not reach: those after the first number that is missing."""
    first = next(iter(files), 0)
    reached = list(
        itertools.takewhile(lambda pair: pair[0] == first + pair[1], zip(files, itertools.count()))
    )
    return list(files.values())[len(reached) :]
