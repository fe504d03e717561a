"""A run's medians: those of all frames, without a record of each."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from edge_sr.backends.base import PartTimes
from edge_sr.upscale.run.medians import PartMedians


@pytest.mark.parametrize("count", [1, 2, 999, 1000])
def test_medians_are_those_of_all_frames_to_a_microsecond(count: int) -> None:
    rows = np.random.default_rng(0).lognormal(3, 0.7, (count, 4)).tolist()
    frames = [PartTimes(*row) for row in rows]
    found, rest = PartMedians(frames[: count // 3]), PartMedians(frames[count // 3 :])
    found.include(rest)
    median = found.median()
    for part in ("upload_ms", "encoder_ms", "decoder_ms", "download_ms"):
        exact = statistics.median(getattr(frame, part) for frame in frames)
        assert getattr(median, part) == pytest.approx(exact, abs=0.0005001)
    assert len(found) == count


def test_no_frames_took_nothing() -> None:
    assert PartMedians().median() == PartTimes()
    assert PartMedians([PartTimes(decoder_ms=2.0)]).median() == PartTimes(decoder_ms=2.0)
