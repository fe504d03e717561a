"""How an output is cut: tiles that stay in cache, and phases where offsets repeat.

For an integer scale ``s`` there are only ``s * s`` different offsets. All pixels of one phase have one positional
input, and they read LR pixels one after the other: no gather, and the first layer's sines are taken once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.grid import SamplingGrid

TILE_PIXELS = 2048
# Values that a tile has of the maps. Fewer, and calling the graph costs more than it saves in cache.
TILE_VALUES = 3 << 17
MOST_PHASES = 4


@dataclasses.dataclass(frozen=True)
class Tile:
    """A part of the output: where it goes, ``y`` and ``x``, and the positions to evaluate there."""

    y: slice
    x: slice
    grid: SamplingGrid

    def place(self, pixels: NDArray[Any], frame: NDArray[Any]) -> None:
        """Put ``1 x Ht x Wt x 3``, contiguous, into ``1 x H x W x 3``."""
        # Whole pixels are copied: where columns are strided, NumPy takes longer for three values than for one.
        pixel = np.dtype((np.void, 3 * frame.itemsize))
        frame.view(pixel)[:, self.y, self.x] = pixels.view(pixel)


def row_tiles(grid: SamplingGrid, pixels: int = TILE_PIXELS) -> Iterator[Tile]:
    """Tiles of whole output rows, of about ``pixels`` each."""
    step = max(1, pixels // grid.width)
    everything = slice(None)
    for start in range(0, grid.height, step):
        y = slice(start, min(start + step, grid.height))
        yield Tile(y, everything, grid.part(y, everything))


def _phase_strips(
    grid: SamplingGrid, pixels: int, period_y: int, period_x: int
) -> Iterator[tuple[Tile, ...]]:
    """Strips of whole rows, each a tile for every phase; offsets are single values."""
    for start, stop in _even(grid.height, max(1, pixels * period_x // grid.width) * period_y, period_y):
        yield tuple(
            Tile(y, x, _one_offset(grid.part(y, x)))
            for y in _phases(start, stop, period_y)
            for x in _phases(0, grid.width, period_x)
        )


def _even(length: int, most: int, unit: int) -> Iterator[tuple[int, int]]:
    """Parts of at most ``most``, in whole units, that differ by a unit at most: threads end together."""
    units = -(-length // unit)
    count = -(-length // most)
    ends = [unit * (index * units // count) for index in range(count + 1)]
    for start, stop in pairwise(ends):
        yield start, min(stop, length)


def _phases(start: int, stop: int, count: int) -> Iterator[slice]:
    for phase in range(start, min(start + count, stop)):
        yield slice(phase, stop, count)


def _one_offset(grid: SamplingGrid) -> SamplingGrid:
    return dataclasses.replace(grid, offset_y=grid.offset_y[:, :, :1], offset_x=grid.offset_x[..., :1])


def decoder_strips(grid: SamplingGrid, pixels: int = TILE_PIXELS) -> Iterator[tuple[Tile, ...]]:
    """Tiles by strips that read the same LR rows: by phase where both axes have few, else a tile a strip."""
    periods = period(grid.offset_y), period(grid.offset_x)
    if max(periods) <= MOST_PHASES:
        return _phase_strips(grid, pixels, *periods)
    return ((tile,) for tile in row_tiles(grid, pixels))


def period(offset: NDArray[np.float32]) -> int:
    """After how many positions the offsets repeat; their number when they never do."""
    flat = offset.reshape(-1)
    for count in range(1, min(MOST_PHASES, len(flat) - 1) + 1):
        if np.array_equal(flat[count:], flat[:-count]):
            return count
    return len(flat)
