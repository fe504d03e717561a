"""How a frame is cut when its features do not fit on the device: strips of LR rows, each with its receptive field.

The encoder reads ``halo`` rows more at either side than the strip's own, and the decoder makes the output rows whose
nearest LR row is the strip's own: so the cut changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MemoryLimitError


@dataclass(frozen=True)
class Strip:
    """LR rows ``top`` to ``bottom`` are encoded; output rows ``first`` to ``last`` are made from them."""

    top: int
    bottom: int
    first: int
    last: int


def cut_strips(height: int, rows: NDArray[np.int32], halo: int, own_rows: int) -> list[Strip]:
    """Strips of up to ``own_rows`` LR rows of ``height``; ``rows`` are the outputs' nearest LR rows, ascending."""
    return list(_cut(height, rows, halo, own_rows))


def _cut(height: int, rows: NDArray[Any], halo: int, own_rows: int) -> Iterator[Strip]:
    begin, end = int(rows[0]), int(rows[-1]) + 1
    for start in range(begin, end, own_rows):
        stop = min(start + own_rows, end)
        first, last = (int(n) for n in np.searchsorted(rows, (start, stop)))
        if first < last:
            yield Strip(max(0, start - halo), min(height, stop + halo), first, last)


def smaller(own_rows: int, width: int, halo: int) -> int:
    """Half as many rows; ``MemoryLimitError`` when a strip is mostly halo already."""
    if own_rows <= max(1, halo // 2):
        raise MemoryLimitError(
            f"the GPU has no room for {own_rows} rows of {width} pixels: close programs or ask for less"
        )
    return -(-own_rows // 2)
