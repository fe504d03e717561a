"""Batches: patches of LR pixels with HR samples at random places inside each of them, drawn on the run's device."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_sr.grid import SamplingGrid, sampling_grid
from edge_sr.sizes import Box
from edge_sr.training.data.pictures import Pixels
from edge_sr.training.data.scale_set import ScaledCrops, bicubic_stack
from edge_sr.training.spec import ScheduleSpec

WAYS = 8
MIRRORED_ROWS, MIRRORED_COLUMNS, TRANSPOSED = 1, 2, 4


@dataclasses.dataclass(frozen=True)
class Batch:
    """``low`` uint8 ``n x p x p x 3``; ``offsets`` float32 ``n x p x p x k x 2`` (y, x, in half LR pixels);
    ``target`` uint8 ``n x p x p x k x 3``; ``ratio`` float32 ``1``: the cell ratio that all share.

    ``weights`` float32 ``n x p x p x 1``, 1 on average: every LR pixel has as many samples, but not as many HR
    pixels to stand for. At x1.5 those with two a side are the ones with a pixel midway between two of LR's.
    """

    low: Tensor
    offsets: Tensor
    target: Tensor
    weights: Tensor
    ratio: Tensor

    def tensors(self) -> list[Tensor]:
        """All of them, in the order of the constructor."""
        return [getattr(self, field.name) for field in dataclasses.fields(self)]


@dataclasses.dataclass(frozen=True)
class GridBatch:
    """``low`` as in ``Batch``, ``grid`` over all HR pixels of the patch, and ``target`` uint8 ``n x H x W x 3``:
    less one pixel on each side for a last layer with neighbours."""

    low: Tensor
    grid: SamplingGrid
    target: Tensor
    weights: float = 1.0


@dataclasses.dataclass(frozen=True)
class PictureBatch:
    """``low`` uint8 ``n x p x p x 3`` and the ``target`` uint8 ``n x q x q x 3`` that covers the same."""

    low: Tensor
    target: Tensor
    weights: float = 1.0


def _enlarged(scaled: ScaledCrops) -> Pixels:
    assert not isinstance(scaled.low, Tensor)
    return bicubic_stack(scaled.low, (scaled.high, scaled.high))


class BatchSource:
    """Draws batches for ever; two generators decide all, and their state is the position in the data.

    On a GPU the crops and their scales are copied there; on the CPU they stay what they are, memory maps too.
    """

    def __init__(
        self,
        crops: Pixels | Tensor,
        weights: NDArray[np.float64],
        scales: list[ScaledCrops],
        shares: NDArray[np.float64],
        spec: ScheduleSpec,
        seed: int,
        *,
        device: torch.device | None = None,
        enlarged: Callable[[ScaledCrops], Pixels | Tensor] = _enlarged,
    ) -> None:
        """``enlarged``: where LR crops at the size of their HR crops come from, for ``draw_pictures``."""
        self._device = device or torch.device("cpu")
        self._spec, self._shares = spec, shares
        self._crops = self._placed(crops)
        self._weights = self._placed(weights)
        self._scales = [_Tables(scaled, *map(self._placed, _arrays(scaled))) for scaled in scales]
        self._enlarged = functools.cache(lambda scaled: self._placed(enlarged(scaled)))
        # The scale is chosen apart, on the CPU: a GPU would be waited for.
        self._choice = np.random.default_rng(seed)
        self._generator = torch.Generator(self._device).manual_seed(seed)

    def state(self) -> dict[str, Any]:
        """Where the data stands, as plain values and a tensor."""
        return {"choice": dict(self._choice.bit_generator.state), "places": self._generator.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        self._choice.bit_generator.state = state["choice"]
        self._generator.set_state(state["places"])

    def draw(self) -> Batch:
        tables, chosen = self._chosen()
        scaled, count = tables.scaled, self._spec.batch
        # Turned before the grid is laid over them: a pixel midway between two of LR's belongs to the same side always.
        way = self._below(WAYS, count)
        rows, columns = self._window(scaled.side, count), self._window(scaled.side, count)
        low = picked(tables.low, chosen, way, scaled.side, (rows[:, :, None], columns[:, None]))
        ys = self._places(tables, rows[:, :, None, None])
        xs = self._places(tables, columns[:, None, :, None])
        target = picked(self._crops, chosen, way, scaled.high, (ys, xs))
        offsets = torch.stack((tables.offsets[ys], tables.offsets[xs]), -1)
        counts = (tables.counts[rows][:, :, None] * tables.counts[columns][:, None]).float()
        weights = (counts / counts.mean((1, 2), keepdim=True)).unsqueeze(3)
        return Batch(low, offsets, target, weights, tables.ratio)

    def draw_grid(self, halo: int, margin: int = 0) -> GridBatch:
        """One window for the whole batch, for all its pictures share a grid; its target is less by ``halo``.

        ``margin``: LR pixels around the window that the patch has besides, for networks that look at neighbours.
        """
        tables, chosen = self._chosen()
        scaled, side = tables.scaled, self._spec.patch
        top, left = (int(start) for start in self._choice.integers(0, scaled.side - side + 1, 2))
        y0, y1 = (int(scaled.starts[row]) for row in (top + margin, top + side - margin))
        x0, x1 = (int(scaled.starts[column]) for column in (left + margin, left + side - margin))
        whole, low_size = (scaled.high, scaled.high), (scaled.side, scaled.side)
        grid = sampling_grid(low_size, whole, Box(x0, y0, x1, y1)).shifted(top, left)
        low = tables.low[chosen, top : top + side, left : left + side]
        return GridBatch(low, grid, self._crops[chosen, y0 + halo : y1 - halo, x0 + halo : x1 - halo])

    def draw_pictures(self, *, enlarged: bool) -> PictureBatch:
        """Patches at a whole scale with the pictures they come from, or ``enlarged`` to their size by bicubic."""
        tables, chosen = self._chosen()
        scaled, count = tables.scaled, self._spec.batch
        given = self._enlarged(scaled) if enlarged else tables.low
        step = 1 if enlarged else scaled.scale.numerator
        way, side = self._below(WAYS, count), given.shape[1]
        rows, columns = self._window(side, count), self._window(side, count)
        low = picked(given, chosen, way, side, (rows[:, :, None], columns[:, None]))
        rows, columns = _spread(rows, step), _spread(columns, step)
        return PictureBatch(
            low, picked(self._crops, chosen, way, scaled.high, (rows[:, :, None], columns[:, None]))
        )

    def _placed(self, array: NDArray[Any] | Tensor) -> Tensor:
        held = array if isinstance(array, Tensor) else torch.from_numpy(np.ascontiguousarray(array))
        return held.to(self._device)

    def _chosen(self) -> tuple[_Tables, Tensor]:
        """A scale, and the crops that are seen at it."""
        tables = self._scales[self._choice.choice(len(self._scales), p=self._shares)]
        return tables, self._weights.multinomial(self._spec.batch, True, generator=self._generator)

    def _below(self, end: int, count: int) -> Tensor:
        return torch.randint(end, (count,), generator=self._generator, device=self._device)

    def _window(self, side: int, count: int) -> Tensor:
        """Indices of a patch somewhere along an axis, ``n x p``."""
        patch = self._spec.patch
        return self._below(side - patch + 1, count)[:, None] + torch.arange(patch, device=self._device)

    def _places(self, tables: _Tables, indices: Tensor) -> Tensor:
        """HR indices ``n x p x p x k`` along one axis, at random among those nearest to each LR index."""
        size = (self._spec.batch, self._spec.patch, self._spec.patch, self._spec.samples)
        chance = torch.rand(size, generator=self._generator, device=self._device)
        return tables.starts[indices] + (chance * tables.counts[indices]).long()


@dataclasses.dataclass(frozen=True)
class _Tables:
    """Crops at one scale with their arrays on the run's device."""

    scaled: ScaledCrops
    low: Tensor
    starts: Tensor
    counts: Tensor
    offsets: Tensor
    ratio: Tensor


def _arrays(scaled: ScaledCrops) -> tuple[NDArray[Any] | Tensor, ...]:
    return scaled.low, scaled.starts, scaled.counts, scaled.offsets, np.array([scaled.ratio], np.float32)


def picked(stack: Tensor, chosen: Tensor, way: Tensor, side: int, places: tuple[Tensor, Tensor]) -> Tensor:
    """Pixels at ``places`` (rows and columns, ``n x ...``) of square pictures after a turn, ``n x ... x 3``.

    The pictures are the first ``side`` rows and columns of ``stack[chosen]``; each is turned its own ``way``: bit 0
    mirrors its rows, bit 1 its columns, bit 2 then exchanges the axes.
    """
    rows, columns = torch.broadcast_tensors(*places)  # type: ignore[no-untyped-call]
    way, chosen = (part.view(-1, *[1] * (rows.ndim - 1)) for part in (way, chosen))
    swapped = (way & TRANSPOSED).bool()
    rows, columns = torch.where(swapped, columns, rows), torch.where(swapped, rows, columns)
    rows = torch.where((way & MIRRORED_ROWS).bool(), side - 1 - rows, rows)
    columns = torch.where((way & MIRRORED_COLUMNS).bool(), side - 1 - columns, columns)
    height, width = stack.shape[1:3]
    flat = ((chosen * height + rows) * width + columns).flatten()
    return stack.view(-1, 3).index_select(0, flat).view(*rows.shape, 3)


def _spread(indices: Tensor, times: int) -> Tensor:
    """HR indices of LR indices along an axis, ``n x (p * times)``, at a whole scale."""
    return (times * indices[:, :, None] + torch.arange(times, device=indices.device)).flatten(1)
