"""The levels of INT8: scales of activations and weights, and what rounds to which level."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 127
Range = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class QdqScheme:
    """``unsigned``: uint8 with a zero point, and integer biases; ``results``: the layers' results are rounded too,
    where the residual stream is."""

    name: str
    unsigned: bool
    results: bool


QDQ_SCHEMES = {
    "int8": QdqScheme("int8", unsigned=False, results=False),
    "int8-cpu": QdqScheme("int8-cpu", unsigned=True, results=True),
}


@dataclasses.dataclass(frozen=True)
class Scale:
    """``real = scale * (level - zero)``."""

    scale: float
    zero: int
    dtype: Any

    @classmethod
    def of(cls, low_high: Range, scheme: QdqScheme) -> Scale:
        """The scale that just covers a range; raises nothing: a range of nothing gets a tiny scale."""
        low, high = min(low_high[0], 0.0), max(low_high[1], 0.0)
        if not scheme.unsigned:
            return cls(half_exact(max(-low, high) / LARGEST), 0, np.int8)
        scale = half_exact((high - low) / 255)
        return cls(scale, int(np.clip(np.rint(-low / scale), 0, 255)), np.uint8)


def half_exact(scale: Any) -> Any:
    """``scale`` rounded up to a value that float16 holds, so that every precision rounds by the same grid."""
    wide = np.maximum(np.asarray(scale, np.float32), np.float32(2.0**-14))
    half = wide.astype(np.float16)
    half = np.where(half.astype(np.float32) < wide, np.nextafter(half, np.float16(np.inf)), half)
    result = half.astype(np.float32)
    return float(result) if result.ndim == 0 else result


def weight_scales(weight: NDArray[Any]) -> NDArray[np.float32]:
    """One scale for each output channel: its largest value at level 127."""
    largest = np.abs(weight.astype(np.float32)).reshape(len(weight), -1).max(1)
    scales: NDArray[np.float32] = half_exact(largest / LARGEST)
    return scales


def weight_levels(weight: NDArray[Any], scales: NDArray[np.float32]) -> NDArray[np.int8]:
    """int8 levels in the shape of ``weight``, each kernel's sum over its taps kept to half a level.

    Where a picture is flat, all taps of a kernel see one value, and the errors of rounding to nearest would add
    up to a shift of the whole area. So the taps nearest to the other side are rounded that way instead.
    """
    exact = weight.astype(np.float32).reshape(*weight.shape[:2], -1) / scales.reshape(-1, 1, 1)
    nearest = np.rint(exact)
    missing = np.rint((exact - nearest).sum(2, keepdims=True))
    rank = np.argsort(np.argsort((nearest - exact) * np.sign(missing), 2, kind="stable"), 2)
    moved = nearest + np.sign(missing) * (rank < np.abs(missing))
    levels: NDArray[np.int8] = np.clip(moved, -LARGEST, LARGEST).astype(np.int8).reshape(weight.shape)
    return levels
