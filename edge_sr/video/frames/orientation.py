"""How a stored picture has to be turned to be displayed, from a film's display matrix."""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.video.frames.side_data import side_data

if TYPE_CHECKING:
    import av


@dataclasses.dataclass(frozen=True)
class Orientation:
    """Transpose first, then mirror left to right and top to bottom."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    def apply(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The displayed picture, ``H x W`` or ``H x W x C``, contiguous."""
        if self == UPRIGHT:
            return picture
        if self.transpose:
            picture = picture.swapaxes(0, 1)
        picture = picture[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        return np.ascontiguousarray(picture)

    def displayed(self, width: int, height: int) -> tuple[int, int]:
        return (height, width) if self.transpose else (width, height)


UPRIGHT = Orientation()


def from_display_matrix(matrix: bytes) -> Orientation:
    """The quarter turn nearest to FFmpeg's display matrix: nine little- or big-endian native int32.

    The matrix maps a stored point to ``(a x + c y, b x + d y)``, so a picture whose ``b`` and ``c`` outweigh
    ``a`` and ``d`` lies on its side.
    """
    a, b, _, c, d = struct.unpack_from("=5i", matrix)
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, mirror_x=c < 0, mirror_y=b < 0)
    return Orientation(False, mirror_x=a < 0, mirror_y=d < 0)


def display_matrix(frame: av.VideoFrame) -> bytes | None:
    """The display matrix that the frame carries, None when it carries none."""
    matrix = side_data(frame).get("DISPLAYMATRIX")
    return None if matrix is None else bytes(matrix)


def frame_orientation(frame: av.VideoFrame) -> Orientation:
    """The orientation that the frame carries, upright when it carries none."""
    matrix = display_matrix(frame)
    return UPRIGHT if matrix is None else from_display_matrix(matrix)
