"""The time code of a part of a film: that of its first frame (SMPTE ST 12-1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from edge_sr.video.film.info import Excerpt

_TIME_CODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")
KEY = "timecode"


def moved_time_code(metadata: Mapping[str, str], excerpt: Excerpt, rate: Fraction) -> dict[str, str]:
    """The tags, with the time code of the frame that is shown where the excerpt begins."""
    frames = int(excerpt.start * rate)
    return {
        key: later(text, frames, round(rate)) if key.lower() == KEY else text
        for key, text in metadata.items()
    }


def later(text: str, frames: int, each_second: int) -> str:
    """The time code so many frames later; as it is where it is none at that rate.

    One with ``;`` or ``.`` before its frames leaves out two numbers of thirty as each minute begins, but every tenth.
    """
    match = _TIME_CODE.fullmatch(text)
    if match is None or int(match[5]) >= each_second:
        return text
    hours, minutes, seconds, number = (int(match[group]) for group in (1, 2, 3, 5))
    skipped = each_second // 30 * 2 if match[4] != ":" else 0
    minutes += 60 * hours
    count = (minutes * 60 + seconds) * each_second + number - skipped * (minutes - minutes // 10) + frames
    ten_minutes = 600 * each_second - 9 * skipped
    tens, rest = divmod(count % (144 * ten_minutes), ten_minutes)
    # The first of ten minutes is whole.
    begun = max(0, rest - skipped) // (60 * each_second - skipped)
    count = tens * 600 * each_second + rest + skipped * begun
    seconds, number = divmod(count, each_second)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{match[4]}{number:02}"
