"""The geometric self-ensemble: a frame is enlarged in its eight turns and mirrorings, and the mean of the results is
closer to the truth than any (Timofte et al., "Seven ways to improve example-based single image super resolution",
CVPR 2016). Eight times the work.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from edge_sr.backends.base import PartTimes, Result
from edge_sr.sizes import Box, Size
from edge_sr.tensors import Frame, to_unit

Pass = Callable[[Frame, Size, Box], Result]


@dataclasses.dataclass(frozen=True)
class Turn:
    """Rows are mirrored, columns are, and then the axes exchanged."""

    rows: bool
    columns: bool
    transposed: bool

    def frame(self, frame: Frame) -> Frame:
        """``h x w x 3`` turned so, contiguous."""
        flipped = np.flip(frame, self._axes())
        return np.ascontiguousarray(flipped.swapaxes(0, 1) if self.transposed else flipped)

    def back(self, frame: Frame) -> Frame:
        """The frame that ``frame`` was turned from."""
        return np.flip(frame.swapaxes(0, 1) if self.transposed else frame, self._axes())

    def size(self, size: Size) -> Size:
        return (size[1], size[0]) if self.transposed else size

    def box(self, box: Box, size: Size) -> Box:
        """Where the part ``box`` of a picture of ``size`` lies when the picture is turned."""
        x0, x1 = (size[0] - box.x1, size[0] - box.x0) if self.columns else (box.x0, box.x1)
        y0, y1 = (size[1] - box.y1, size[1] - box.y0) if self.rows else (box.y0, box.y1)
        return Box(y0, x0, y1, x1) if self.transposed else Box(x0, y0, x1, y1)

    def _axes(self) -> tuple[int, ...]:
        return tuple(axis for axis, mirrored in enumerate((self.rows, self.columns)) if mirrored)


TURNS = tuple(
    Turn(rows, columns, transposed)
    for transposed in (False, True)
    for rows in (False, True)
    for columns in (False, True)
)


def ensemble(frame: Frame, output_size: Size, box: Box, enlarge: Pass) -> Result:
    """The part ``box`` of ``frame`` at ``output_size``, in the frame's dtype, and the time of all eight passes.

    ``enlarge`` takes float32 in [0, 1], an output size and a part of it. The mean is taken before any rounding.
    """
    unit, times = to_unit(frame), PartTimes()
    total = np.zeros((box.height, box.width, 3), np.float32)
    for turn in TURNS:
        result = enlarge(turn.frame(unit), turn.size(output_size), turn.box(box, output_size))
        total += turn.back(result.frame)
        times += result.times
    mean = total / np.float32(len(TURNS))
    return Result(np.rint(mean * 255).astype(np.uint8) if frame.dtype == np.uint8 else mean, times)
