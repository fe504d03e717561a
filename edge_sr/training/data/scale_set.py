"""The scale set: LR versions of the crops, made once for a few dozen scales.

Shrinking a crop for every batch costs as much as a step of a small network. A run draws its scales at random, so
that together they cover the range.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edge_sr import grid
from edge_sr.quality import pair_sides
from edge_sr.resample import resize
from edge_sr.training.data.pictures import Pixels
from edge_sr.training.spec import ScheduleSpec, TrainingSpec

WHOLE_SCALES = (2, 3, 4)
# Where more HR pixels lie midway between two of LR's than at other scales: what the nearest one knows least of.
HALF_SCALES = (Fraction(3, 2), Fraction(5, 2), Fraction(7, 2))
Shrink = Callable[[Pixels, tuple[int, int]], Pixels]


@dataclasses.dataclass(frozen=True, eq=False)
class ScaledCrops:
    """All crops at one scale: ``low`` uint8 ``n x h x h x 3``, of the first ``high`` HR pixels of each axis; a
    tensor where it lies on a GPU.

    LR index ``r`` is nearest for the HR indices ``starts[r]`` up to ``starts[r + 1]``; ``offsets`` are those
    of every HR index, in half LR pixels.
    """

    scale: Fraction
    low: Pixels | Tensor
    high: int
    starts: NDArray[np.int64]
    offsets: NDArray[np.float32]

    @property
    def side(self) -> int:
        return int(self.low.shape[1])

    @functools.cached_property
    def counts(self) -> NDArray[np.int64]:
        """How many HR indices are nearest to each LR index."""
        return np.diff(self.starts)

    @property
    def ratio(self) -> float:
        return grid.cell_ratio((self.side, self.side), (self.high, self.high))


def bicubic_stack(crops: Pixels, size: tuple[int, int]) -> Pixels:
    """Every crop at ``size`` (width, height) by antialiased bicubic, rounded to 8 bits."""
    return np.stack([resize(crop, size) for crop in crops])


def draw_scales(spec: ScheduleSpec, count: int, seed: int) -> tuple[list[Fraction], NDArray[np.float64]]:
    """``count`` scales and how often each is drawn: whole and half ones first, then some all over the range."""
    generator = np.random.default_rng(seed)
    whole = _within(WHOLE_SCALES, spec.scales)
    half = _within(HALF_SCALES, spec.scales) if spec.half_share > 0 else []
    far = max(1, count // 6) if spec.far_share > 0 and spec.far_scale > spec.scales[1] else 0
    near = max(1, count - len(whole) - len(half) - far)
    middle = _spread(generator, *spec.scales, near)
    beyond = _spread(generator, spec.scales[1], spec.far_scale, far)
    asked = [(whole, spec.whole_share), (half, spec.half_share), (beyond, spec.far_share)]
    rest = 1 - sum(share for group, share in asked if group)
    groups = [*asked[:2], (middle, rest), asked[2]]
    scales = [scale for group, _ in groups for scale in group]
    shares = np.array([share / len(group) for group, share in groups for _ in group])
    return scales, shares / shares.sum()


def _within(scales: Sequence[Fraction | int], span: tuple[float, float]) -> list[Fraction]:
    return [Fraction(scale) for scale in scales if span[0] <= scale <= span[1]]


def _spread(generator: np.random.Generator, low: float, high: float, count: int) -> list[Fraction]:
    """One scale at random in each of ``count`` parts of the range, each by the same factor larger than the last.

    So as many lie between 1.1 and 2 as between 2 and 3.6: small steps of a scale matter most where it is small.
    """
    places = (np.arange(count) + generator.random(count)) / max(1, count)
    return [Fraction(round(100 * low * (high / low) ** place), 100) for place in places]


def scale_crops(crops: Pixels, scale: Fraction, shrink: Shrink = bicubic_stack) -> ScaledCrops:
    """Shrink every crop (uint8 ``n x side x side x 3``) by ``scale`` as the evaluation does."""
    low, high = pair_sides(crops.shape[1], scale)
    return placed_crops(scale, shrink(crops[:, :high, :high], (low, low)), high)


def placed_crops(scale: Fraction, low: Pixels | Tensor, high: int) -> ScaledCrops:
    """Crops that are shrunk already, ``low`` ``n x h x h x 3``, from their first ``high`` pixels."""
    side = low.shape[1]
    starts = np.array([grid.first_output(side, high, row) for row in range(side + 1)], np.int64)
    return ScaledCrops(scale, low, high, starts, grid.offsets(side, high))


def shrinker(spec: TrainingSpec, salt: int = 0) -> Shrink:
    """Antialiased bicubic, and with ``degradation = "codec"`` what a codec leaves of it.

    ``salt`` sets apart the chance of two users of one spec.
    """
    if spec.data.degradation == "none":
        return bicubic_stack
    from edge_sr.training.data.degradation import CodecDegradation

    degrade = CodecDegradation(spec.seed + 1000 * salt)

    def shrink(crops: Pixels, size: tuple[int, int]) -> Pixels:
        return degrade(bicubic_stack(crops, size))

    return shrink
