"""A recipe that narrow random networks meet, for tests of what calibration writes."""

from __future__ import annotations

from edge_sr.calibration.recipe import Budget, Recipe


def lenient_recipe() -> Recipe:
    """Ranges and losses from two frames each, every layer free, a budget that random weights stay within."""
    return Recipe(
        method="minmax",
        range_frames=2,
        loss_frames=2,
        crop=64,
        scales=("2",),
        keep=(),
        parts=("encoder", "decoder"),
        least_share=0.0,
        budget=Budget(20.0, 60.0),
    )
