"""What a change of size does to the shape that a picture is displayed in."""

from __future__ import annotations

from fractions import Fraction

from edge_sr.sizes import Size

Shape = tuple[Fraction, Fraction]
"""Width and height, in any unit."""

# A shape changed by less than this looks the same.
NEGLIGIBLE = Fraction(1, 200)
# H.264 and H.265 have 16 bits for either side of a ratio.
MOST_ASPECT = 65535
# The most that a pixel may be wider than high, or higher than wide: beyond this it is a damaged header.
WIDEST = 100


def is_credible(aspect: Fraction) -> bool:
    """Whether a pixel may be so much wider than high; encoders refuse others."""
    return Fraction(1, WIDEST) <= aspect <= WIDEST


def fitted(shape: Size | Shape, room: Size) -> Size:
    """The largest size of that shape that fits into ``room``, at least a pixel each way."""
    scale = min(room[0] / Fraction(shape[0]), room[1] / Fraction(shape[1]))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def upright_aspect(stated: Fraction | None, *, turned: bool) -> Fraction:
    """The aspect of a pixel as it is displayed, of a stream that states one or none; ``turned`` on its side or not."""
    ratio = Fraction(stated or 1)
    if not is_credible(ratio):
        return Fraction(1)
    return 1 / ratio if turned else ratio


def pixel_aspect(aspect: Fraction, input_size: Size, output_size: Size) -> Fraction:
    """The pixel aspect that keeps the displayed shape of a film of ``input_size`` at ``output_size``.

    What rounding to whole and even sizes changes of the shape is left alone.
    """
    change = Fraction(input_size[0] * output_size[1], input_size[1] * output_size[0])
    rounding = max(Fraction(2, min(output_size)), NEGLIGIBLE)
    if abs(change - 1) <= rounding:
        return aspect
    return (aspect * change).limit_denominator(MOST_ASPECT)
