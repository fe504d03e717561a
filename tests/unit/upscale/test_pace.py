"""The pace that progress shows: a mean, but not over the time that the process was stopped."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from edge_sr.upscale.run.pace import Pace


def paces(times: Sequence[float]) -> list[float]:
    """What is shown at each time, a frame more at each; it begins at 0."""
    clock = iter([0.0, *times])
    pace = Pace(lambda: next(clock))
    return [pace.at(number) for number in range(1, len(times) + 1)]


def test_it_is_the_mean() -> None:
    assert paces([0.5, 1.0, 3.0]) == pytest.approx([2, 2, 1])


def test_a_stop_does_not_count() -> None:
    assert paces([0.5, 1.0, 3601.0, 3601.5])[1:] == pytest.approx([2, 2, 2])


def test_a_slow_frame_does() -> None:
    assert paces([0.01, 0.02, 5.0])[-1] == pytest.approx(0.6)


def test_frames_that_take_long_each_are_no_stop() -> None:
    assert paces([60.0, 180.0, 240.0])[-1] == pytest.approx(3 / 240)
