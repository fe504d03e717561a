"""Where every output pixel lies: sizes, regions, nearest LR pixels and offsets, all from exact integers.

This is the one place that computes them. The network's reference, the graphs' inputs, the tiles and the
native decoder take their coordinates from here.
"""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal, InvalidOperation
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import OptionError

LARGEST_SCALE = 64
LARGEST_SIDE = 65536


def parse_scale(text: str | float | int | Fraction) -> Fraction:
    """A scale as an exact fraction: ``"2.7"`` is 27/10, a float is read as it prints.

    Raises ``OptionError`` unless ``1 <= scale <= 64``.
    """
    if isinstance(text, Fraction):
        scale = text
    else:
        scale = _exact_decimal(str(text))
    if scale < 1:
        raise OptionError(f"the scale must be at least 1, found {text}")
    if scale > LARGEST_SCALE:
        raise OptionError(f"the scale must be at most {LARGEST_SCALE}, found {text}")
    return scale


def _exact_decimal(text: str) -> Fraction:
    try:
        value = Decimal(text.strip())
    except InvalidOperation as error:
        raise OptionError(f"the scale must be a number such as 2 or 2.7, found {text!r}") from error
    if not value.is_finite():
        raise OptionError(f"the scale must be a finite number, found {text}")
    # A huge exponent would take for ever to expand into a fraction.
    if value != 0 and not -9 <= value.adjusted() <= 9:
        raise OptionError(f"the scale must lie between 1 and {LARGEST_SCALE}, found {text}")
    return Fraction(value)


def scaled(length: int, scale: Fraction) -> int:
    """``floor(length * scale + 1/2)``, exactly."""
    return math.floor(length * scale + Fraction(1, 2))


def output_size(
    width: int,
    height: int,
    *,
    scale: Fraction | None = None,
    size: tuple[int, int] | None = None,
    target_height: int | None = None,
) -> tuple[int, int]:
    """The output's ``(width, height)`` in pixels, from exactly one of the three.

    With ``target_height`` the width keeps the picture's shape, rounded to the nearest. Raises ``OptionError``
    when none or several are given, when an axis would shrink, or when a side passes 65,536 pixels.
    """
    given = [option for option in (scale, size, target_height) if option is not None]
    if len(given) != 1:
        raise OptionError(f"give exactly one of scale, size and height, found {len(given)}")
    if scale is not None:
        result = (scaled(width, scale), scaled(height, scale))
    elif size is not None:
        result = size
    else:
        assert target_height is not None
        result = ((2 * width * target_height + height) // (2 * height), target_height)
    _check_growth((width, height), result)
    return result


def _check_growth(before: tuple[int, int], after: tuple[int, int]) -> None:
    if after[0] < before[0] or after[1] < before[1]:
        raise OptionError(
            f"the output may not be smaller than the input: {before[0]}x{before[1]} to {after[0]}x{after[1]}"
        )
    if max(after) > LARGEST_SIDE:
        raise OptionError(f"an output side may have at most {LARGEST_SIDE} pixels, found {max(after)}")


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangle of pixels: columns ``x0`` up to ``x1``, rows ``y0`` up to ``y1``, ends excluded."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        return self.y1 - self.y0


def whole(size: tuple[int, int]) -> Box:
    """The box of a picture of ``(width, height)``."""
    return Box(0, 0, size[0], size[1])


def output_region(region: tuple[int, int, int, int], before: tuple[int, int], after: tuple[int, int]) -> Box:
    """The output box of ``region`` = ``(x, y, width, height)`` in input pixels.

    ``before`` and ``after`` are the whole picture's ``(width, height)``. Both edges are rounded by one rule, so
    neighbouring regions neither overlap nor leave a gap. Raises ``OptionError`` when the region leaves the picture.
    """
    x, y, width, height = region
    if width < 1 or height < 1 or x < 0 or y < 0 or x + width > before[0] or y + height > before[1]:
        raise OptionError(
            f"the region {x},{y},{width},{height} must lie inside the {before[0]}x{before[1]} picture"
        )
    return Box(
        _edge(x, before[0], after[0]),
        _edge(y, before[1], after[1]),
        _edge(x + width, before[0], after[0]),
        _edge(y + height, before[1], after[1]),
    )


def _edge(position: int, before: int, after: int) -> int:
    return (2 * position * after + before) // (2 * before)


def nearest(before: int, after: int, start: int = 0, stop: int | None = None) -> NDArray[np.int32]:
    """For outputs ``start`` to ``stop`` of ``after``, the index of the LR pixel that holds the centre: int32."""
    index = np.arange(start, after if stop is None else stop, dtype=np.int64)
    return (((2 * index + 1) * before) // (2 * after)).astype(np.int32)


def offsets(before: int, after: int, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
    """Distance from that LR pixel's centre in half LR pixels: float32 in [-1, 1] (DIINN, section 3.2).

    The numerator is an exact integer, so the only rounding is that of the final division.
    """
    index = np.arange(start, after if stop is None else stop, dtype=np.int64)
    return offsets_to(((2 * index + 1) * before) // (2 * after), index, before, after)


def first_output(before: int, after: int, row: int) -> int:
    """The first output index whose nearest LR index is at least ``row``; ``after`` when there is none."""
    # (2i + 1) * before >= 2 * after * row, solved for the smallest i.
    return min(after, max(0, -((before - 2 * after * row) // (2 * before))))


def phase_count(before: int, after: int) -> int:
    """How many different offsets an axis has: ``p`` for a scale of ``p/q`` in lowest terms."""
    return after // math.gcd(before, after)


def cell_ratio(before: tuple[int, int], after: tuple[int, int]) -> float:
    """LR pixels for each output pixel, the decoder's third positional input."""
    return (before[0] * before[1]) / (after[0] * after[1])


@dataclasses.dataclass(frozen=True)
class SamplingGrid:
    """The decoder's positional inputs for a box of the output.

    ``rows`` int32 ``Ht``, ``cols`` int32 ``Wt``: LR indices into the whole picture. ``offset_y`` float32
    ``1 x 1 x Ht x 1``, ``offset_x`` ``1 x 1 x 1 x Wt``, ``ratio`` ``1 x 1 x 1 x 1``: always those of the whole
    virtual output, whatever the box. ``ys`` and ``xs``, int64, are the output's own indices, ``before`` and
    ``after`` the whole sizes as ``(width, height)``: what other networks' positions are computed from.
    """

    rows: NDArray[np.int32]
    cols: NDArray[np.int32]
    offset_y: NDArray[np.float32]
    offset_x: NDArray[np.float32]
    ratio: NDArray[np.float32]
    ys: NDArray[np.int64]
    xs: NDArray[np.int64]
    before: tuple[int, int]
    after: tuple[int, int]

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
        sides = [2 * self.before[axis] / self.after[axis] for axis in (1, 0)]
        return np.array(sides, np.float32).reshape(1, 2, 1, 1)

    @property
    def corner_rows(self) -> NDArray[np.int32]:
        """The LR rows that hold the outputs' upper edges, int32 ``Ht``: at most one before ``rows``."""
        return _corners(self.ys, self.before[1], self.after[1], self.origin[0])

    @property
    def corner_cols(self) -> NDArray[np.int32]:
        """The LR columns that hold the outputs' left edges, int32 ``Wt``."""
        return _corners(self.xs, self.before[0], self.after[0], self.origin[1])

    @property
    def corner_y(self) -> NDArray[np.float32]:
        """How far below that LR row's upper edge an output begins, ``1 x 1 x Ht x 1`` in [0, 1)."""
        return _fractions(self.ys, self.before[1], self.after[1]).reshape(1, 1, -1, 1)

    @property
    def corner_x(self) -> NDArray[np.float32]:
        """How far to the right of that LR column's left edge an output begins, ``1 x 1 x 1 x Wt``."""
        return _fractions(self.xs, self.before[0], self.after[0]).reshape(1, 1, 1, -1)

    @property
    def origin(self) -> tuple[int, int]:
        """The LR row and column that ``rows`` and ``cols`` count from, after ``shifted``."""
        row = nearest(self.before[1], self.after[1], int(self.ys[0]), int(self.ys[0]) + 1)[0]
        col = nearest(self.before[0], self.after[0], int(self.xs[0]), int(self.xs[0]) + 1)[0]
        return int(row - self.rows[0]), int(col - self.cols[0])


def sampling_grid(
    before: tuple[int, int], after: tuple[int, int], box: Box | None = None, halo: int = 0
) -> SamplingGrid:
    """The grid of ``box`` (the whole output by default), sizes as ``(width, height)``.

    ``halo`` output pixels are added on each side and mirrored beyond the output's border, as mode 4's 3 x 3
    last layer wants them.
    """
    box = whole(after) if box is None else box
    ys = _mirrored(box.y0 - halo, box.y1 + halo, after[1])
    xs = _mirrored(box.x0 - halo, box.x1 + halo, after[0])
    rows, offset_y = nearest(before[1], after[1])[ys], offsets(before[1], after[1])[ys]
    cols, offset_x = nearest(before[0], after[0])[xs], offsets(before[0], after[0])[xs]
    return SamplingGrid(
        rows=np.ascontiguousarray(rows),
        cols=np.ascontiguousarray(cols),
        offset_y=np.ascontiguousarray(offset_y).reshape(1, 1, -1, 1),
        offset_x=np.ascontiguousarray(offset_x).reshape(1, 1, 1, -1),
        ratio=np.full((1, 1, 1, 1), cell_ratio(before, after), np.float32),
        ys=ys,
        xs=xs,
        before=before,
        after=after,
    )


def neighbours(index: NDArray[np.int64], before: int, after: int, side: int) -> NDArray[np.int64]:
    """The LR index at ``side`` (-1 or 1) of each output's centre, kept inside: int64."""
    return np.clip(((2 * index + 1) * before + side * after) // (2 * after), 0, before - 1)


def offsets_to(
    rows: NDArray[np.int64], index: NDArray[np.int64], before: int, after: int
) -> NDArray[np.float32]:
    """Distance of each output's centre from the centre of the LR pixel of ``rows``, in half LR pixels: float32."""
    return (((2 * index + 1) * before - (2 * rows + 1) * after) / after).astype(np.float32)


def _corners(index: NDArray[np.int64], before: int, after: int, origin: int) -> NDArray[np.int32]:
    return (index * before // after - origin).astype(np.int32)


def _fractions(index: NDArray[np.int64], before: int, after: int) -> NDArray[np.float32]:
    return (index * before % after / after).astype(np.float32)


def _mirrored(start: int, stop: int, length: int) -> NDArray[np.int64]:
    index = np.abs(np.arange(start, stop, dtype=np.int64))
    return np.where(index >= length, 2 * (length - 1) - index, index)
