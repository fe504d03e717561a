"""By how far a changed pixel shows: computed, or measured on pictures large enough for what the graph skips."""

from __future__ import annotations

import numpy as np
import onnx

from edge_sr.errors import ParityError
from edge_sr.export.external.gain import Run
from edge_sr.export.receptive import gap_reach, receptive_radius

FIELD_SIDES = (64, 160, 320)


def reach_of(run: Run, channels: int, model: onnx.ModelProto) -> int:
    """As ``measured_reach``, computed where every operator is known: a deep network takes minutes to measure."""
    try:
        return receptive_radius(model)
    except ParityError:
        return measured_reach(run, channels, model)


def measured_reach(run: Run, channels: int, model: onnx.ModelProto) -> int:
    """Input pixels around one that can change it; -1 where it shows up to the border of all trial pictures.

    Also -1 where ``model``'s windows skip more than the largest of them holds.
    """
    try:
        skipped = gap_reach(model)
    except ParityError:
        return -1
    for side in FIELD_SIDES:
        seen = side // 2 - 1
        # What lies beyond a gap and beyond the picture would not be missed.
        if skipped >= seen:
            continue
        reach = max(_shown(run, side, channels, seed) for seed in range(2))
        if reach < seen:
            return reach
    return -1


def _shown(run: Run, side: int, channels: int, seed: int) -> int:
    picture = np.random.default_rng(seed).uniform(0.2, 0.8, (side, side, channels)).astype(np.float32)
    before, middle, reach = run(picture), side // 2, 0
    # Black and white: what is less shows nothing where the largest value of all is taken.
    for value in (0, 1):
        picture[middle, middle] = value
        after = run(picture)
        places = np.argwhere((after != before).any(axis=2)) // (len(after) // side)
        reach = max(reach, int(np.abs(places - middle).max(initial=0).item()))
    return reach
