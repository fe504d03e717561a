"""What a run writes beside its checkpoint, by name."""

from __future__ import annotations

from pathlib import Path


def resume_path(checkpoint: Path) -> Path:
    """Where the run behind ``checkpoint`` keeps its state."""
    return checkpoint.with_suffix(".resume.pt")


def description_path(checkpoint: Path) -> Path:
    """The network that the weights are of."""
    return checkpoint.with_suffix(".json")


def curve_path(checkpoint: Path) -> Path:
    """Loss and validation over the run."""
    return checkpoint.with_suffix(".png")


def table_path(checkpoint: Path) -> Path:
    """The ranges that a run against the INT8 rounding learned."""
    return checkpoint.with_suffix(".scales.json")
