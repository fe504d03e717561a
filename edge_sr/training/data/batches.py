"""Batches: patches of LR pixels with HR samples at random places inside each of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import ConfigError
from edge_sr.grid import Box, SamplingGrid, sampling_grid
from edge_sr.training.data.pictures import Pixels
from edge_sr.training.data.scale_set import Rung, bicubic_stack
from edge_sr.training.spec import ScheduleSpec

Float = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Batch:
    """``low`` uint8 ``n x p x p x 3``; ``offsets`` float32 ``n x p x p x k x 2`` (y, x, in half LR pixels);
    ``target`` uint8 ``n x p x p x k x 3``; ``ratio``: the cell ratio that all share.

    ``weights`` float32 ``n x p x p x 1``, 1 on average: every LR pixel has as many samples, but not as many HR
    pixels to stand for. At x1.5 those with two a side are the ones with a pixel midway between two of LR's.
    """

    low: Pixels
    offsets: Float
    target: Pixels
    weights: Float
    ratio: float


@dataclasses.dataclass(frozen=True)
class GridBatch:
    """``low`` as in ``Batch``, ``grid`` over all HR pixels of the patch, and ``target`` uint8 ``n x H x W x 3``:
    less one pixel on each side for a last layer with neighbours."""

    low: Pixels
    grid: SamplingGrid
    target: Pixels
    weights: float = 1.0


@dataclasses.dataclass(frozen=True)
class PictureBatch:
    """``low`` uint8 ``n x p x p x 3`` and the ``target`` uint8 ``n x q x q x 3`` that covers the same."""

    low: Pixels
    target: Pixels
    weights: float = 1.0


def _enlarged(rung: Rung) -> Pixels:
    return bicubic_stack(rung.low, (rung.high, rung.high))


class BatchSource:
    """Draws batches for ever; one generator decides all, and its state is the position in the data."""

    def __init__(
        self,
        crops: Pixels,
        weights: NDArray[np.float64],
        rungs: list[Rung],
        shares: NDArray[np.float64],
        spec: ScheduleSpec,
        seed: int,
        enlarged: Callable[[Rung], Pixels] = _enlarged,
    ) -> None:
        """``enlarged``: where the crops of a rung at the size of its HR crops come from, for ``draw_pictures``."""
        smallest = min(rung.side for rung in rungs)
        if smallest < spec.patch:
            raise ConfigError(
                f"schedule.patch is {spec.patch}, but the crops have only {smallest} LR pixels a side at the "
                f"largest scale; raise data.crop or lower schedule.patch or far_scale"
            )
        self._crops, self._weights, self._rungs, self._shares = crops, weights, rungs, shares
        self._spec = spec
        self._enlarged = functools.cache(enlarged)
        self._generator = np.random.default_rng(seed)

    def state(self) -> dict[str, Any]:
        """Where the data stands, as plain values."""
        return dict(self._generator.bit_generator.state)

    def restore(self, state: dict[str, Any]) -> None:
        self._generator.bit_generator.state = state

    def draw(self) -> Batch:
        rung, chosen = self._chosen()
        items = [self._item(rung, int(index)) for index in chosen]
        low, offsets, target, weights = (np.stack(part) for part in zip(*items, strict=True))
        return Batch(low, offsets, target, weights, rung.ratio)

    def draw_grid(self, halo: int, margin: int = 0) -> GridBatch:
        """One window for the whole batch, for all its pictures share a grid; its target is less by ``halo``.

        ``margin``: LR pixels around the window that the patch has besides, for networks that look at neighbours.
        """
        rung, chosen = self._chosen()
        side = self._spec.patch
        top, left = (int(start) for start in self._generator.integers(0, rung.side - side + 1, 2))
        y0, y1 = (int(rung.starts[row]) for row in (top + margin, top + side - margin))
        x0, x1 = (int(rung.starts[column]) for column in (left + margin, left + side - margin))
        whole, low_size = (rung.high, rung.high), (rung.side, rung.side)
        grid = sampling_grid(low_size, whole, Box(x0, y0, x1, y1)).shifted(top, left)
        low = rung.low[chosen, top : top + side, left : left + side]
        return GridBatch(low, grid, self._crops[chosen, y0 + halo : y1 - halo, x0 + halo : x1 - halo])

    def draw_pictures(self, *, enlarged: bool) -> PictureBatch:
        """Patches at a whole scale with the pictures they come from, or ``enlarged`` to their size by bicubic."""
        rung, chosen = self._chosen()
        times = rung.scale.numerator
        given = self._enlarged(rung) if enlarged else rung.low
        step = 1 if enlarged else times
        pairs = [self._pair(given, int(index), step) for index in chosen]
        low, target = (np.stack(part) for part in zip(*pairs, strict=True))
        return PictureBatch(low, target)

    def _pair(self, given: Pixels, index: int, step: int) -> tuple[Pixels, Pixels]:
        side = self._spec.patch
        top, left = (int(start) for start in self._generator.integers(0, given.shape[1] - side + 1, 2))
        low = given[index, top : top + side, left : left + side]
        rows, columns = (slice(step * start, step * (start + side)) for start in (top, left))
        way = int(self._generator.integers(8))
        return turned_picture(low, way), turned_picture(self._crops[index, rows, columns], way)

    def _chosen(self) -> tuple[Rung, NDArray[np.int64]]:
        rung = self._rungs[self._generator.choice(len(self._rungs), p=self._shares)]
        return rung, self._generator.choice(len(self._crops), self._spec.batch, p=self._weights)

    def _item(self, rung: Rung, index: int) -> tuple[Pixels, Float, Pixels, Float]:
        side = self._spec.patch
        top, left = (int(start) for start in self._generator.integers(0, rung.side - side + 1, 2))
        # Turned before the grid is laid over them: a pixel midway between two of LR's belongs to the same side always.
        way = int(self._generator.integers(8))
        rows, columns = slice(top, top + side), slice(left, left + side)
        low = turned_picture(rung.low[index], way)[rows, columns]
        high = turned_picture(self._crops[index, : rung.high, : rung.high], way)
        ys, xs = self._places(rung, rows), self._places(rung, columns).swapaxes(0, 1)
        offsets = np.stack((rung.offsets[ys], rung.offsets[xs]), -1)
        counts = np.outer(rung.counts[rows], rung.counts[columns])
        weights = (counts / counts.mean()).astype(np.float32)[..., None]
        return low, offsets, high[ys, xs], weights

    def _places(self, rung: Rung, window: slice) -> NDArray[np.int64]:
        """HR indices ``p x p x k`` along one axis, at random among those nearest to each LR index of ``window``."""
        side = self._spec.patch
        chance = self._generator.random((side, side, self._spec.samples), np.float32)
        steps = (chance * rung.counts[window, None, None]).astype(np.int64)
        places: NDArray[np.int64] = rung.starts[window, None, None] + steps
        return places


def turned_picture(picture: Pixels, way: int) -> Pixels:
    """One of the eight turns and mirrorings of a square picture."""
    picture = picture[::-1] if way & 1 else picture
    picture = picture[:, ::-1] if way & 2 else picture
    return picture.swapaxes(0, 1) if way & 4 else picture
