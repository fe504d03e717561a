"""Modulation maps and the bilinear base sampled at output pixels, on the CPU.

A graph's gather moves single values, which costs more than all of the decoder's products. Here the few LR rows
of a tile are widened to its columns first, then whole rows are repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.bundle import Graph
from edge_sr.errors import ShapeError
from edge_sr.grid import SamplingGrid
from edge_sr.tensors import Image, to_unit

Index = NDArray[np.int32]


def require_own(maps: Any, image: Image, decoder: Graph) -> None:
    """``ShapeError`` for maps of another network, precision or picture, which a backend might read as its own."""
    (port,) = (port for port in decoder.inputs if port.name == "maps")
    # So its rows are called where ``init_q`` pads them.
    padding = 2 if port.shape[2] == "hp" else 0
    sides = tuple(side + padding for side in image.shape[1:3])
    expected, found = (port.dtype, (1, port.shape[1], *sides)), (str(maps.dtype), maps.shape)
    if found != expected:
        raise ShapeError(
            f"expected maps as {expected[0]} {expected[1]}, found {found[0]} {found[1]}: "
            "decode by the Upscaler that encoded"
        )


def sample_maps(maps: NDArray[Any], rows: Index, cols: Index) -> NDArray[Any]:
    """``1 x C x h x w`` at the nearest LR pixels: ``1 x C x Ht x Wt``, contiguous."""
    return np.ascontiguousarray(_rows(_columns(maps[:, :, rows[0] : rows[-1] + 1], cols), rows - rows[0]))


def _rows(planes: NDArray[Any], index: Index) -> NDArray[Any]:
    step = _constant_step(index)
    return planes[..., index[0] : index[-1] + 1 : step, :] if step else planes.take(index, axis=-2)


def _columns(planes: NDArray[Any], index: Index) -> NDArray[Any]:
    step = _constant_step(index)
    return planes[..., index[0] : index[-1] + 1 : step] if step else planes.take(index, axis=-1)


class TileSampler:
    """Feeds a decoder graph one tile after another, and keeps what the next may share: phases of an integer scale
    read the same LR pixels, and two in a row the same rows.

    ``maps`` is ``1 x C x h x w``, ``image`` ``1 x h x w x 3``. ``sampled``: the graph takes maps at the output's
    pixels; one that gathers by itself takes them as they are.
    """

    def __init__(self, maps: NDArray[Any], image: NDArray[Any], *, sampled: bool = True) -> None:
        self._maps, self._image, self._sampled = maps, image, sampled
        self._nearest, self._lines = _Kept(), _Kept()

    def feeds(self, names: Iterable[str], grid: SamplingGrid) -> dict[str, NDArray[Any]]:
        """What the graph asks for, by the names of its inputs."""
        return {name: np.ascontiguousarray(self._feed(name, grid)) for name in names}

    def _feed(self, name: str, grid: SamplingGrid) -> NDArray[Any]:
        if name == "maps":
            return self.maps_at(grid) if self._sampled else self._maps
        if name == "base":
            return self.base_at(grid)
        value: NDArray[Any] = self._image if name == "image" else getattr(grid, name)
        return value

    def maps_at(self, grid: SamplingGrid) -> NDArray[Any]:
        """As ``sample_maps``."""
        return self._nearest.get(
            (grid.rows, grid.cols), lambda: sample_maps(self._maps, grid.rows, grid.cols)
        )

    def base_at(self, grid: SamplingGrid) -> NDArray[np.float32]:
        """The normalised image at the grid, ``1 x 3 x Ht x Wt`` float32, edges clamped."""
        rows, other_rows, weight_y = key = _axis(grid.rows, grid.offset_y, self._image.shape[1])
        lines = self._lines.get(key, lambda: _lines(self._image, rows, other_rows, weight_y))
        cols, other_cols, weight_x = _axis(grid.cols, grid.offset_x, self._image.shape[2])
        return _lerp(_columns(lines, cols), _columns(lines, other_cols), weight_x)[None]


class _Kept:
    """The last result, as long as what it was made from stays equal."""

    def __init__(self) -> None:
        self._key: tuple[NDArray[Any], ...] | None = None
        self._value: NDArray[Any]

    def get(self, key: tuple[NDArray[Any], ...], make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        if self._key is None or not all(map(np.array_equal, self._key, key)):
            self._key, self._value = key, make()
        return self._value


def _constant_step(index: Index) -> int:
    """The step of an arithmetic progression, or 0: slices are far cheaper than index arrays."""
    if len(index) == 1:
        return 1
    step = int(index[1] - index[0])
    return step if step > 0 and bool((np.diff(index) == step).all()) else 0


def _lines(
    image: NDArray[Any], rows: Index, other_rows: Index, weight_y: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The image at its own columns and the output's rows, ``3 x Ht x w``."""
    first, last = int(min(rows.min(), other_rows.min())), int(max(rows.max(), other_rows.max())) + 1
    # Planes, not pixels: NumPy's loops then run along rows, where they are vectors, and not over three colours.
    strip = (to_unit(image[0, first:last].transpose(2, 0, 1).copy()) - np.float32(0.5)) / np.float32(0.5)
    return _lerp(_rows(strip, rows - first), _rows(strip, other_rows - first), weight_y[:, None])


def _axis(index: Index, offset: NDArray[np.float32], length: int) -> tuple[Index, Index, NDArray[np.float32]]:
    flat = offset.reshape(-1)
    if len(flat) != len(index):
        flat = np.broadcast_to(flat, len(index))
    other = np.clip(index + np.sign(flat).astype(np.int32), 0, length - 1)
    return index, other, (np.abs(flat) / 2).astype(np.float32, copy=False)


def _lerp(
    near: NDArray[np.float32], far: NDArray[np.float32], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    between = far - near
    between *= weight
    between += near
    return between
