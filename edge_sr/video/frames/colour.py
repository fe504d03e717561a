"""What a film says about its colours, and what is assumed where it says nothing.

The numbers are those of ITU-T H.273, which FFmpeg's enumerations share.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from edge_sr.errors import MediaError
from edge_sr.video.frames.siting import LEFT, read_siting

if TYPE_CHECKING:
    import av

UNSPECIFIED = 2
RGB = 0
BT709 = 1
SMPTE170M = 6

# H.273 matrix -> the number by which swscale knows its coefficients.
SWSCALE_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}

# H.273 matrix -> (Kr, Kb), the weights of red and blue in luma.
LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}

# The primaries and transfers that H.273 defines.
PRIMARIES = frozenset({1, 2, *range(4, 13), 22})
TRANSFERS = frozenset({1, 2, *range(4, 19)})
PQ, HLG = 16, 18
# H.273 transfer -> its name.
HDR_TRANSFERS = {PQ: "PQ (SMPTE ST 2084)", HLG: "HLG (ARIB STD-B67)"}
BT2020 = 9


@dataclasses.dataclass(frozen=True)
class Colour:
    """Matrix, primaries and transfer as H.273 numbers, whether luma spans the whole range of codes, and where halved
    chroma lies, one of ``SITINGS``."""

    matrix: int
    full_range: bool
    primaries: int
    transfer: int
    siting: str = LEFT

    @property
    def is_hdr(self) -> bool:
        return self.transfer in HDR_TRANSFERS

    @property
    def range_code(self) -> int:
        """FFmpeg's number for the range: 1 limited, 2 full."""
        return 2 if self.full_range else 1

    @property
    def swscale(self) -> int:
        return SWSCALE_MATRIX[self.matrix]

    @property
    def luma_weights(self) -> tuple[float, float]:
        return LUMA_WEIGHTS[self.matrix]


def tag_colours(carrier: Any, colour: Colour) -> None:
    """Has a frame, or the stream of a codec context, say what its colours are."""
    carrier.colorspace = colour.matrix
    carrier.color_range = colour.range_code
    carrier.color_primaries = colour.primaries
    carrier.color_trc = colour.transfer


def guessed_matrix(width: int, height: int) -> int:
    """The matrix a player assumes for untagged video: BT.709 from HD sizes on, BT.601 below."""
    return BT709 if width >= 1280 or height > 576 else SMPTE170M


def read_colour(frame: av.VideoFrame) -> tuple[Colour, list[str]]:
    """The frame's colour description, with a sentence for each thing that had to be assumed.

    Raises ``MediaError`` for a matrix that cannot be converted.
    """
    matrix, full, notes = read_matrix(frame)
    siting = read_siting(frame, full_range=full)
    return Colour(matrix, full, int(frame.color_primaries), int(frame.color_trc), siting), notes


def read_matrix(frame: av.VideoFrame) -> tuple[int, bool, list[str]]:
    """The frame's matrix, and whether its luma spans the whole range of codes, by its tags alone; else as above."""
    notes: list[str] = []
    name = frame.format.name
    matrix = int(frame.colorspace)
    if frame.format.is_rgb or frame.format.has_palette:
        # The output is YUV: BT.709 is what players expect of a film that began as RGB.
        matrix = BT709
    elif matrix in (UNSPECIFIED, RGB, 3) and int(frame.color_trc) in HDR_TRANSFERS:
        matrix = BT2020
        notes.append("the film names no colour matrix: BT.2020 assumed, as it is HDR")
    elif matrix in (UNSPECIFIED, RGB, 3):
        matrix = guessed_matrix(frame.width, frame.height)
        label = "BT.709" if matrix == BT709 else "BT.601"
        notes.append(f"the film names no colour matrix: {label} assumed from its size, as players do")
    _refuse_unsupported(matrix)
    # Black and white of one bit is all of the range, and so is grey in floating point.
    full = int(frame.color_range) == 2 or name.startswith(("yuvj", "mono", "grayf"))
    if frame.format.is_rgb or frame.format.has_palette:
        full = False
    return matrix, full, notes


def _refuse_unsupported(matrix: int) -> None:
    if matrix not in SWSCALE_MATRIX:
        known = ", ".join(str(number) for number in sorted(SWSCALE_MATRIX))
        raise MediaError(f"colour matrix {matrix} of ITU-T H.273 is not supported, only {known}")
