"""How an output is cut: tiles that stay in cache, and phases where offsets repeat.

For an integer scale ``s`` there are only ``s * s`` different offsets. All pixels of one phase have one positional
input, and they read LR pixels one after the other: no gather, and the first layer's sines are taken once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge_sr.grid import SamplingGrid

TILE_PIXELS = 2048
MOST_PHASES = 4


@dataclasses.dataclass(frozen=True)
class Tile:
    """A part of the output: where it goes, ``y`` and ``x``, and the positions to evaluate there."""

    y: slice
    x: slice
    grid: SamplingGrid


def row_tiles(grid: SamplingGrid, pixels: int = TILE_PIXELS) -> Iterator[Tile]:
    """Tiles of whole output rows, of about ``pixels`` each."""
    step = max(1, pixels // grid.width)
    everything = slice(None)
    for start in range(0, grid.height, step):
        y = slice(start, min(start + step, grid.height))
        yield Tile(y, everything, grid.part(y, everything))


def phase_tiles(grid: SamplingGrid, pixels: int = TILE_PIXELS) -> Iterator[Tile]:
    """For every phase, tiles of whole rows of its pixels; offsets are single values."""
    period_y, period_x = period(grid.offset_y), period(grid.offset_x)
    step = max(1, pixels * period_x // grid.width) * period_y
    # Phases innermost: all of them read the same few LR rows.
    for start in range(0, grid.height, step):
        stop = min(start + step, grid.height)
        for y in _phases(start, stop, period_y):
            for x in _phases(0, grid.width, period_x):
                yield Tile(y, x, _one_offset(grid.part(y, x)))


def _phases(start: int, stop: int, count: int) -> Iterator[slice]:
    for phase in range(start, min(start + count, stop)):
        yield slice(phase, stop, count)


def _one_offset(grid: SamplingGrid) -> SamplingGrid:
    return dataclasses.replace(grid, offset_y=grid.offset_y[:, :, :1], offset_x=grid.offset_x[..., :1])


def decoder_tiles(grid: SamplingGrid, pixels: int = TILE_PIXELS) -> Iterator[Tile]:
    """Phases where both axes have few of them, else tiles of whole rows."""
    if max(period(grid.offset_y), period(grid.offset_x)) <= MOST_PHASES:
        return phase_tiles(grid, pixels)
    return row_tiles(grid, pixels)


def period(offset: NDArray[np.float32]) -> int:
    """After how many positions the offsets repeat; their number when they never do."""
    flat = offset.reshape(-1)
    for count in range(1, min(MOST_PHASES, len(flat) - 1) + 1):
        if np.array_equal(flat[count:], flat[:-count]):
            return count
    return len(flat)
