"""A work folder that lacks segments in the middle, as a cluster leaves it when its driver is killed."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from support.films import Making, frame_pixels, frame_times, make_film
from support.upscaling import run as upscaled

from edge_sr.upscale import films
from edge_sr.upscale.run.report import Report
from edge_sr.video.encode.workfolder import WorkFolder

Run = Callable[..., Report]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Segments of four frames of a film of eighteen, with a keyframe every five."""
    film = make_film(tmp_path / "film.mkv", Making(frames=18, options={"g": "5"}))

    def go(output: Path, **more: Any) -> Report:
        return upscaled(film, output, scale=Fraction(3, 2), segment_frames=4, **more)

    return go


def test_only_missing_segments_are_made(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, output = tmp_path / "whole.mkv", tmp_path / "larger.mkv"
    run(whole)
    with monkeypatch.context() as patch:
        patch.setattr(films, "mux", _killed)
        with pytest.raises(KeyboardInterrupt):
            run(output)
    pieces = WorkFolder(output).pieces()
    assert sorted(pieces) == [0, 1, 2, 3, 4]
    for number in (1, 2, 4):
        pieces[number].path.unlink()
    report = run(output, resume=True)
    assert (report.frames, report.resumed_frames) == (18, 8)
    assert frame_times(output) == frame_times(whole)
    assert all((a == b).all() for a, b in zip(frame_pixels(output), frame_pixels(whole), strict=True))


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
