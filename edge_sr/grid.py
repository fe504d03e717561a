"""Where every output pixel lies: nearest LR pixels and offsets, all from exact integers.

This is the one place that computes them. The network's reference, the graphs' inputs, the tiles and the
native decoder take their coordinates from here.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from edge_sr.sizes import Box, Size, whole


def nearest(length: int, output_length: int, start: int = 0, stop: int | None = None) -> NDArray[np.int32]:
    """For outputs ``start`` to ``stop``, the index of the LR pixel that holds the centre: int32."""
    index = np.arange(start, output_length if stop is None else stop, dtype=np.int64)
    return (((2 * index + 1) * length) // (2 * output_length)).astype(np.int32)


def offsets(length: int, output_length: int) -> NDArray[np.float32]:
    """Each output's distance from that LR pixel's centre in half LR pixels: float32 in [-1, 1] (DIINN, section 3.2).

    The numerator is an exact integer, so the only rounding is that of the final division.
    """
    index = np.arange(output_length, dtype=np.int64)
    return offsets_to(((2 * index + 1) * length) // (2 * output_length), index, length, output_length)


def first_output(length: int, output_length: int, row: int) -> int:
    """The first output index whose nearest LR index is at least ``row``; ``output_length`` when there is none."""
    # (2i + 1) * length >= 2 * output_length * row, solved for the smallest i.
    return min(output_length, max(0, -((length - 2 * output_length * row) // (2 * length))))


def cell_ratio(input_size: Size, output_size: Size) -> float:
    """LR pixels for each output pixel, the decoder's third positional input."""
    return (input_size[0] * input_size[1]) / (output_size[0] * output_size[1])


@dataclasses.dataclass(frozen=True, eq=False)
class SamplingGrid:
    """The decoder's positional inputs for a box of the output; equal to itself alone, so it can be a key.

    ``rows`` int32 ``Ht``, ``cols`` int32 ``Wt``: LR indices into the whole picture. ``offset_y`` float32
    ``1 x 1 x Ht x 1``, ``offset_x`` ``1 x 1 x 1 x Wt``, ``ratio`` ``1 x 1 x 1 x 1``: always those of the whole
    virtual output, whatever the box. ``ys`` and ``xs``, int64, are the output's own indices, ``input_size`` and
    ``output_size`` the whole sizes as ``(width, height)``: what other networks' positions are computed from.
    """

    rows: NDArray[np.int32]
    cols: NDArray[np.int32]
    offset_y: NDArray[np.float32]
    offset_x: NDArray[np.float32]
    ratio: NDArray[np.float32]
    ys: NDArray[np.int64]
    xs: NDArray[np.int64]
    input_size: Size
    output_size: Size

    @property
    def height(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        return len(self.cols)

    def part(self, y: slice, x: slice) -> SamplingGrid:
        """The grid of some of its rows and columns, given as slices of the box."""
        return dataclasses.replace(
            self,
            rows=self.rows[y],
            cols=self.cols[x],
            offset_y=self.offset_y[:, :, y],
            offset_x=self.offset_x[..., x],
            ys=self.ys[y],
            xs=self.xs[x],
        )

    def shifted(self, first_row: int, first_col: int) -> SamplingGrid:
        """The same grid over maps that begin at that LR row and column."""
        rows, cols = self.rows - np.int32(first_row), self.cols - np.int32(first_col)
        return dataclasses.replace(self, rows=rows, cols=cols)

    @property
    def cell(self) -> NDArray[np.float32]:
        """An output pixel's height and width in half LR pixels, ``1 x 2 x 1 x 1``."""
        sides = [2 * self.input_size[axis] / self.output_size[axis] for axis in (1, 0)]
        return np.array(sides, np.float32).reshape(1, 2, 1, 1)

    @property
    def corner_rows(self) -> NDArray[np.int32]:
        """The LR rows that hold the outputs' upper edges, int32 ``Ht``: at most one before ``rows``."""
        return _corners(self.ys, self.input_size[1], self.output_size[1], self.origin[0])

    @property
    def corner_cols(self) -> NDArray[np.int32]:
        """The LR columns that hold the outputs' left edges, int32 ``Wt``."""
        return _corners(self.xs, self.input_size[0], self.output_size[0], self.origin[1])

    @property
    def corner_y(self) -> NDArray[np.float32]:
        """How far below that LR row's upper edge an output begins, ``1 x 1 x Ht x 1`` in [0, 1)."""
        return _fractions(self.ys, self.input_size[1], self.output_size[1]).reshape(1, 1, -1, 1)

    @property
    def corner_x(self) -> NDArray[np.float32]:
        """How far to the right of that LR column's left edge an output begins, ``1 x 1 x 1 x Wt``."""
        return _fractions(self.xs, self.input_size[0], self.output_size[0]).reshape(1, 1, 1, -1)

    @property
    def origin(self) -> tuple[int, int]:
        """The LR row and column that ``rows`` and ``cols`` count from, after ``shifted``."""
        row = nearest(self.input_size[1], self.output_size[1], int(self.ys[0]), int(self.ys[0]) + 1)[0]
        col = nearest(self.input_size[0], self.output_size[0], int(self.xs[0]), int(self.xs[0]) + 1)[0]
        return int(row - self.rows[0]), int(col - self.cols[0])


def sampling_grid(input_size: Size, output_size: Size, box: Box | None = None, halo: int = 0) -> SamplingGrid:
    """The grid of ``box`` (the whole output by default), sizes as ``(width, height)``.

    ``halo`` output pixels are added on each side and mirrored beyond the output's border, as mode 4's 3 x 3
    last layer wants them.
    """
    box = whole(output_size) if box is None else box
    ys = _mirrored(box.y0 - halo, box.y1 + halo, output_size[1])
    xs = _mirrored(box.x0 - halo, box.x1 + halo, output_size[0])
    rows, offset_y = nearest(input_size[1], output_size[1])[ys], offsets(input_size[1], output_size[1])[ys]
    cols, offset_x = nearest(input_size[0], output_size[0])[xs], offsets(input_size[0], output_size[0])[xs]
    return SamplingGrid(
        rows=np.ascontiguousarray(rows),
        cols=np.ascontiguousarray(cols),
        offset_y=np.ascontiguousarray(offset_y).reshape(1, 1, -1, 1),
        offset_x=np.ascontiguousarray(offset_x).reshape(1, 1, 1, -1),
        ratio=np.full((1, 1, 1, 1), cell_ratio(input_size, output_size), np.float32),
        ys=ys,
        xs=xs,
        input_size=input_size,
        output_size=output_size,
    )


def neighbours(index: NDArray[np.int64], length: int, output_length: int, side: int) -> NDArray[np.int64]:
    """The LR index at ``side`` (-1 or 1) of each output's centre, kept inside: int64."""
    return np.clip(((2 * index + 1) * length + side * output_length) // (2 * output_length), 0, length - 1)


def offsets_to(
    rows: NDArray[np.int64], index: NDArray[np.int64], length: int, output_length: int
) -> NDArray[np.float32]:
    """Distance of each output's centre from the centre of the LR pixel of ``rows``, in half LR pixels: float32."""
    return (((2 * index + 1) * length - (2 * rows + 1) * output_length) / output_length).astype(np.float32)


def _corners(index: NDArray[np.int64], length: int, output_length: int, origin: int) -> NDArray[np.int32]:
    return (index * length // output_length - origin).astype(np.int32)


def _fractions(index: NDArray[np.int64], length: int, output_length: int) -> NDArray[np.float32]:
    return (index * length % output_length / output_length).astype(np.float32)


def _mirrored(start: int, stop: int, length: int) -> NDArray[np.int64]:
    index = np.abs(np.arange(start, stop, dtype=np.int64))
    return np.where(index >= length, 2 * (length - 1) - index, index)
