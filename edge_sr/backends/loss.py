"""What a precision costs in picture quality, as the bundle states it, and how much of that is allowed unasked."""

from __future__ import annotations

import dataclasses
from typing import Any

from edge_sr.bundle import Bundle
from edge_sr.kinds import Precision, Scheme

LOSSES = "losses"
"""Where ``Description.extra`` keeps the loss of each precision that is not INT8."""


@dataclasses.dataclass(frozen=True)
class Loss:
    """PSNR of luma lost against float32, in dB: on average, and for the worst frame and scale."""

    mean_db: float
    worst_db: float

    def within(self, budget: Loss) -> bool:
        return self.mean_db <= budget.mean_db and self.worst_db <= budget.worst_db

    def __str__(self) -> str:
        return f"loses {max(self.mean_db, 0):.3f} dB, at worst {max(self.worst_db, 0):.3f}"


NONE = Loss(0.0, 0.0)
BUDGET = Loss(0.05, 0.15)
"""What ``auto`` may lose, unless the bundle was calibrated to lose less."""


def loss_of(bundle: Bundle, precision: Precision, scheme: Scheme | None = None) -> Loss | None:
    """The stated loss of a precision; ``None`` where nobody measured it."""
    if precision == "fp32":
        return NONE
    if precision == "int8":
        return _stated(bundle.description.extra.get("calibration"), "placements", scheme or "int8")
    return _stated(bundle.description.extra, LOSSES, precision)


def budget_of(bundle: Bundle) -> Loss:
    """What ``auto`` may lose with this bundle."""
    own = _stated(bundle.description.extra, "calibration", "budget")
    if own is None:
        return BUDGET
    return Loss(min(own.mean_db, BUDGET.mean_db), min(own.worst_db, BUDGET.worst_db))


def _stated(content: Any, *path: str) -> Loss | None:
    """The figures at that place of what a bundle says; ``None`` where there are none."""
    for key in path:
        content = content.get(key) if isinstance(content, dict) else None
    try:
        return Loss(float(content["mean_db"]), float(content["worst_db"]))
    except (KeyError, TypeError, ValueError):
        return None
