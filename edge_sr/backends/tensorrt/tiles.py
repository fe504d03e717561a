"""An output cut into equal tiles, and the tiles' positional inputs laid out for the device.

All tiles of a frame have one shape, so one execution context serves them all; where they do not divide the
output, neighbours overlap by some rows or columns and compute these twice, to the same values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda.driver.protocol import aligned
from edge_sr.engines.store.shapes import CONTRACT, along
from edge_sr.grid import SamplingGrid
from edge_sr.sizes import Box

Piece = tuple[tuple[str, int], NDArray[np.generic]]


@dataclass(frozen=True)
class Cut:
    """Tiles of ``height x width`` output pixels at every pair of ``tops`` and ``lefts`` of a ``frame``, which is given
    as ``(height, width)``. A tile may reach beyond a frame that is smaller than it."""

    height: int
    width: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    frame: tuple[int, int]

    @property
    def count(self) -> int:
        return len(self.tops) * len(self.lefts)

    def boxes(self) -> Iterator[Box]:
        """Each tile's part of the frame."""
        height, width = self.frame
        for top in self.tops:
            for left in self.lefts:
                yield Box(left, top, min(left + self.width, width), min(top + self.height, height))


def cut(height: int, width: int, tile_height: int, tile_width: int, *, exact: bool = False) -> Cut:
    """The fewest equal tiles, none larger than asked for, that cover ``height x width``; with ``exact`` all are just as
    large as asked for, for an engine that takes no other."""
    tall, tops = _axis(height, tile_height, exact)
    wide, lefts = _axis(width, tile_width, exact)
    return Cut(tall, wide, tops, lefts, (height, width))


def _axis(length: int, largest: int, exact: bool) -> tuple[int, tuple[int, ...]]:
    count = -(-length // largest)
    size = largest if exact else -(-length // count)
    return size, tuple(min(index * size, max(0, length - size)) for index in range(count))


@dataclass(frozen=True)
class TilePositions:
    """Every tile's positional inputs in one array of bytes; ``at`` finds one of them by input and corner."""

    data: NDArray[np.uint8]
    offsets: dict[tuple[str, int], int]

    def at(self, name: str, top: int, left: int) -> int:
        """Byte offset, aligned, of the input ``name`` for the tile at this corner."""
        axis = along(name)
        return self.offsets[name, top if axis == "Ht" else left if axis == "Wt" else 0]


def lay_out(grid: SamplingGrid, tiles: Cut, names: Sequence[str], halo: int) -> TilePositions:
    """The inputs ``names`` of all tiles, each aligned; ``halo`` more positions on either side in mode 4."""
    starts = {
        "Ht": (tiles.tops, tiles.height + 2 * halo),
        "Wt": (tiles.lefts, tiles.width + 2 * halo),
    }
    pieces: list[Piece] = []
    for name in names:
        value, axis = getattr(grid, name), along(name)
        if not axis:
            pieces.append(((name, 0), value))
            continue
        where, last = CONTRACT[name].index(axis), value.shape[CONTRACT[name].index(axis)] - 1
        for start in starts[axis][0]:
            # Beyond a small frame the last position is computed again, and dropped.
            span = np.minimum(np.arange(start, start + starts[axis][1]), last)
            pieces.append(((name, start), value.take(span, axis=where)))
    return _pack(pieces)


def _pack(pieces: list[Piece]) -> TilePositions:
    sizes = [aligned(piece.nbytes) for _, piece in pieces]
    starts = np.cumsum([0, *sizes])
    data = np.zeros(int(starts[-1]), np.uint8)
    for start, (_, piece) in zip(starts, pieces, strict=False):
        data[start : start + piece.nbytes] = np.frombuffer(np.ascontiguousarray(piece).tobytes(), np.uint8)
    return TilePositions(data, {name: int(start) for start, (name, _) in zip(starts, pieces, strict=False)})
