"""The time code of an excerpt is that of its first frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from support.films import Making, make_film

from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale
from edge_sr.video.film.info import Excerpt
from edge_sr.video.mux.time_code import later


@pytest.mark.parametrize(
    ("before", "frames", "rate", "after"),
    [
        ("01:00:00:00", 25, 25, "01:00:01:00"),
        ("01:00:00:24", 1, 25, "01:00:01:00"),
        ("23:59:59:23", 1, 24, "00:00:00:00"),
        ("00:00:59;29", 1, 30, "00:01:00;02"),
        ("00:09:59;29", 1, 30, "00:10:00;00"),
        ("00:10:59;29", 1, 30, "00:11:00;02"),
        ("00:00:59;59", 1, 60, "00:01:00;04"),
        ("00:00:00;00", 17_982, 30, "00:10:00;00"),
        ("23:59:59;29", 1, 30, "00:00:00;00"),
        ("00:00:59:29", 1, 30, "00:01:00:00"),
        ("00:00:00:40", 5, 25, "00:00:00:40"),
        ("noon", 5, 25, "noon"),
    ],
)
def test_time_codes_count_frames(before: str, frames: int, rate: int, after: str) -> None:
    assert later(before, frames, rate) == after


def test_every_frame_of_a_day_has_the_next_time_code() -> None:
    code, seen = "00:00:00;00", set[str]()
    for number in range(0, 24 * 6 * 17_982, 997):
        assert later("00:00:00;00", number, 30) == code
        assert code not in seen and not (code[4] != "0" and code[6:] in ("00;00", "00;01"))
        seen.add(code)
        code = later(code, 997, 30)


@pytest.mark.parametrize("name", ["out.mov", "out.mp4", "out.mkv"])
def test_an_excerpt_has_the_time_code_of_its_first_frame(tmp_path: Path, name: str) -> None:
    source = make_film(tmp_path / "in.mkv", Making(frames=40, metadata={"timecode": "01:00:00:20"}))
    plain: dict[str, Any] = {"scale": Fraction(1), "model": "diinn-nano", "backend": "onnxruntime"}
    # In the middle of a frame, which is the one that is shown there.
    excerpt = Excerpt(Fraction(42, 100))
    report = upscale(Request(str(source), tmp_path / name, precision="fp32", excerpt=excerpt, **plain))
    assert report.dropped == ()
    with av.open(str(tmp_path / name)) as file:
        tags = [file.metadata, *(stream.metadata for stream in file.streams)]
        found = {text for each in tags for key, text in each.items() if key.lower() == "timecode"}
    assert found == {"01:00:01:05"}
