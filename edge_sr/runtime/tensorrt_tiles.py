"""An output cut into equal tiles, and the tiles' positional inputs laid out for the device.

All tiles of a frame have one shape, so one execution context serves them all; where they do not divide the
output, neighbours overlap by some rows or columns and compute these twice, to the same values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_sr.grid import SamplingGrid
from edge_sr.runtime.cuda import aligned


@dataclass(frozen=True)
class Cut:
    """Tiles of ``height x width`` output pixels at every pair of ``tops`` and ``lefts``."""

    height: int
    width: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.tops) * len(self.lefts)

    def corners(self) -> Iterator[tuple[int, int]]:
        """Each tile's top and left."""
        return ((top, left) for top in self.tops for left in self.lefts)


def cut(height: int, width: int, tile_height: int, tile_width: int) -> Cut:
    """The fewest equal tiles, none larger than asked for, that cover ``height x width``."""
    tall, tops = _axis(height, tile_height)
    wide, lefts = _axis(width, tile_width)
    return Cut(tall, wide, tops, lefts)


def _axis(length: int, largest: int) -> tuple[int, tuple[int, ...]]:
    count = -(-length // largest)
    size = -(-length // count)
    return size, tuple(min(index * size, length - size) for index in range(count))


@dataclass(frozen=True)
class Positions:
    """Every tile's positional inputs in one array of bytes; ``at`` finds one of them by input and corner."""

    data: NDArray[np.uint8]
    offsets: dict[tuple[str, int], int]

    def at(self, name: str, top: int, left: int) -> int:
        """Byte offset, aligned, of the input ``name`` for the tile at this corner."""
        along = {"rows": top, "offset_y": top, "cols": left, "offset_x": left, "ratio": 0}[name]
        return self.offsets[name, along]


def lay_out(grid: SamplingGrid, tiles: Cut, halo: int) -> Positions:
    """The inputs of all tiles, each aligned; ``halo`` more positions on either side in mode 4."""
    tall, wide = tiles.height + 2 * halo, tiles.width + 2 * halo
    pieces: list[tuple[tuple[str, int], NDArray[np.generic]]] = [(("ratio", 0), grid.ratio)]
    for top in tiles.tops:
        span = slice(top, top + tall)
        pieces += [(("rows", top), grid.rows[span]), (("offset_y", top), grid.offset_y[:, :, span])]
    for left in tiles.lefts:
        span = slice(left, left + wide)
        pieces += [(("cols", left), grid.cols[span]), (("offset_x", left), grid.offset_x[..., span])]
    return _pack(pieces)


def _pack(pieces: list[tuple[tuple[str, int], NDArray[np.generic]]]) -> Positions:
    sizes = [aligned(piece.nbytes) for _, piece in pieces]
    starts = np.cumsum([0, *sizes])
    data = np.zeros(int(starts[-1]), np.uint8)
    for start, (_, piece) in zip(starts, pieces, strict=False):
        data[start : start + piece.nbytes] = np.frombuffer(np.ascontiguousarray(piece).tobytes(), np.uint8)
    return Positions(data, {name: int(start) for start, (name, _) in zip(starts, pieces, strict=False)})
