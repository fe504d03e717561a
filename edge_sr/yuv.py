"""Frames as video keeps them, luma and 4:2:0 chroma: half the bytes of RGB on the way to a GPU and back.

Those of a GPU's video decoder are there already, and what its video encoder takes need not leave: surfaces.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import ShapeError
from edge_sr.kinds import SampleType
from edge_sr.sizes import Size
from edge_sr.tensors import SMALLEST_SIDE, Frame, checked_frame, sample_type_of


@dataclasses.dataclass(frozen=True)
class YuvColour:
    """``weights`` of red and blue in luma; ``chroma_top``: chroma lies on the upper of two rows, as in HDR video,
    else midway between them. Across it lies on every second pixel."""

    weights: tuple[float, float]
    full_range: bool
    chroma_top: bool = False


class YuvColours(NamedTuple):
    """Of a frame, and of what is made of it."""

    source: YuvColour
    target: YuvColour


@dataclasses.dataclass(frozen=True, eq=False)
class Surface:
    """Codes on a GPU: addresses of luma and of interleaved chroma, and the bytes from row to row of each.

    ``depth``: 8 for NV12, 10 for P010, whose codes are in the upper bits of 16. ``owner`` keeps the memory for as long
    as anybody holds the surface.
    """

    luma: int
    chroma: int
    luma_pitch: int
    chroma_pitch: int
    width: int
    height: int
    depth: int
    owner: object = None

    @property
    def shape(self) -> tuple[int, int]:
        """Of the same codes as an array."""
        return 3 * self.height // 2, self.width

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the same codes as an array."""
        return np.dtype(np.uint8 if self.depth == 8 else np.uint16)


@dataclasses.dataclass(frozen=True, eq=False)
class YuvFrame:
    """``codes``: ``3h/2 x w``, ``h`` rows of luma over ``h/2`` of blue and red chroma by turns, both sizes even.

    uint8 is NV12; uint16 is P010, whose ten bits are the upper ones; or a surface, for a network that takes them.
    ``to_surface``: what is made of it becomes a surface too. Raises ``ShapeError`` for anything else.
    """

    codes: NDArray[Any] | Surface
    colours: YuvColours
    to_surface: bool = False

    def __post_init__(self) -> None:
        rows, width = self.codes.shape
        if self.codes.dtype not in (np.uint8, np.uint16) or rows % 3 or width % 2:
            raise ShapeError(
                "a YUV frame must be 3h/2 x w codes of even sizes, uint8 or uint16, "
                f"found {self.codes.shape} of {self.codes.dtype}"
            )
        if min(self.size) < SMALLEST_SIDE:
            raise ShapeError(f"a YUV frame must have at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels")

    @property
    def size(self) -> Size:
        """``(width, height)``."""
        return self.codes.shape[1], self.codes.shape[0] * 2 // 3


class FrameForm(NamedTuple):
    """What frames have in common that go through a network one after another; ``colours``: of YUV frames."""

    size: Size
    sample_type: SampleType
    colours: YuvColours | None


def form_of(frame: Frame | YuvFrame) -> FrameForm:
    """The form of a frame; eight bits go through the graphs of uint8, ten through those of float32."""
    if isinstance(frame, YuvFrame):
        return FrameForm(frame.size, "uint8" if frame.codes.dtype == np.uint8 else "float", frame.colours)
    return FrameForm((frame.shape[1], frame.shape[0]), sample_type_of(frame), None)


def checked_either(frame: Frame | YuvFrame) -> Any:
    """As ``checked_frame``, but a YUV frame is one too."""
    return frame if isinstance(frame, YuvFrame) else checked_frame(frame)
