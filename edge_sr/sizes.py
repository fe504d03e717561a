"""Sizes of pictures and parts of them, in exact integers: what a scale, a height or a region comes to.

Every size is ``(width, height)`` in pixels, of the picture as it is displayed.
"""

from __future__ import annotations

import dataclasses
import math
import operator
import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from edge_sr.errors import OptionError

Size = tuple[int, int]
"""``(width, height)`` in pixels."""

Region = tuple[int, int, int, int]
"""``(x, y, width, height)`` in input pixels."""

LARGEST_SCALE = 64
LARGEST_SIDE = 65536


def parse_scale(text: object) -> Fraction:
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
    size: Size | None = None,
    target_height: int | None = None,
) -> Size:
    """The output's ``(width, height)`` in pixels, from exactly one of the three.

    With ``target_height`` the width keeps the picture's shape, rounded to the nearest. Raises ``OptionError``
    when none or several are given, when an axis would shrink, or when a side passes 65,536 pixels.
    """
    _require_one(scale, size, target_height)
    if scale is not None:
        result = (scaled(width, scale), scaled(height, scale))
    elif size is not None:
        result = checked_size(size)
    else:
        assert target_height is not None
        wanted = _checked_height(target_height)
        result = ((2 * width * wanted + height) // (2 * height), wanted)
    _check_growth((width, height), result)
    return result


def _require_one(*options: object) -> None:
    given = sum(option is not None for option in options)
    if given != 1:
        raise OptionError(f"give exactly one of scale, size and height, found {given}")


@dataclasses.dataclass(frozen=True)
class OutputSize:
    """Exactly one of three that says the size of a whole output, whatever the input's."""

    scale: Fraction | None = None
    size: Size | None = None
    height: int | None = None

    @classmethod
    def of(cls, scale: object, size: object, height: object) -> OutputSize:
        """What a caller gave; ``OptionError`` for none, several, or what is no scale, size or height."""
        _require_one(scale, size, height)
        return cls(
            None if scale is None else parse_scale(scale),
            None if size is None else checked_size(size),
            None if height is None else _checked_height(height),
        )

    def from_input(self, given: Size) -> Size:
        """The output's ``(width, height)``; raises what ``output_size`` raises."""
        return output_size(*given, scale=self.scale, size=self.size, target_height=self.height)


def _checked_height(value: object) -> int:
    return checked_count(value, "a height is a whole number of pixels")


def _check_growth(given: Size, result: Size) -> None:
    if result[0] < given[0] or result[1] < given[1]:
        raise OptionError(
            f"the output may not be smaller than the input: {size_text(given)} to {size_text(result)}"
        )
    if max(result) > LARGEST_SIDE:
        raise OptionError(f"an output side may have at most {LARGEST_SIDE} pixels, found {max(result)}")


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

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index a picture with."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def relative_to(self, other: Box) -> Box:
        """The same pixels, counted from the corner of ``other``."""
        return Box(self.x0 - other.x0, self.y0 - other.y0, self.x1 - other.x0, self.y1 - other.y0)


def whole(size: Size) -> Box:
    """The box of a picture of ``(width, height)``."""
    return Box(0, 0, size[0], size[1])


def output_region(region: Region, input_size: Size, output_size: Size) -> Box:
    """The output box of ``region``, both sizes being the whole picture's.

    Both edges are rounded by one rule, so neighbouring regions neither overlap nor leave a gap. Raises
    ``OptionError`` when the region leaves the picture.
    """
    x, y, width, height = checked_region(region)
    if width < 1 or height < 1 or x < 0 or y < 0 or x + width > input_size[0] or y + height > input_size[1]:
        raise OptionError(
            f"the region {x},{y},{width},{height} must lie inside the {size_text(input_size)} picture"
        )
    return Box(
        _edge(x, input_size[0], output_size[0]),
        _edge(y, input_size[1], output_size[1]),
        _edge(x + width, input_size[0], output_size[0]),
        _edge(y + height, input_size[1], output_size[1]),
    )


def _edge(position: int, input_length: int, output_length: int) -> int:
    return (2 * position * output_length + input_length) // (2 * input_length)


def size_text(size: Size) -> str:
    """``1280x720``."""
    return f"{size[0]}x{size[1]}"


def parse_size(text: str, what: str = "a size") -> Size:
    """``"640x360"`` as ``(width, height)``; ``OptionError`` for anything else."""
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text, re.ASCII)
    if match is None:
        raise OptionError(f"{what} is WIDTHxHEIGHT in pixels, for instance 1280x720; found {text!r}")
    return int(match[1]), int(match[2])


def parse_region(text: str, what: str = "a region") -> Region:
    """``"0,0,64,36"`` as ``(x, y, width, height)`` in input pixels; ``OptionError`` for anything else."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(re.fullmatch(r"\d{1,5}", part, re.ASCII) for part in parts):
        raise OptionError(f"{what} must be X,Y,W,H in input pixels, such as 0,0,64,36, found {text!r}")
    x, y, width, height = map(int, parts)
    return x, y, width, height


def checked_size(value: object) -> Size:
    """What a caller gave as ``(width, height)``; ``OptionError`` unless it is two integers."""
    width, height = _integers(value, 2, "a size is (width, height)")
    return width, height


def checked_region(value: object) -> Region:
    """What a caller gave as ``(x, y, width, height)``; ``OptionError`` unless it is four integers."""
    x, y, width, height = _integers(value, 4, "a region is (x, y, width, height)")
    return x, y, width, height


def checked_count(value: object, what: str) -> int:
    """What a caller gave as a whole number of 1 or more; ``OptionError`` says ``what`` was expected."""
    if not _is_integer(value) or operator.index(value) < 1:  # type: ignore[arg-type]
        raise OptionError(f"{what}, found {value!r}")
    return operator.index(value)  # type: ignore[arg-type]


def checked_box(value: object, size: Size | None) -> Box:
    """What a caller gave as part of a picture of ``size``; ``OptionError`` unless it is a box within, not empty."""
    if size is None:
        raise OptionError("a box is part of an output of one size: give size with it, or a region instead")
    if not isinstance(value, Box) or not all(map(_is_integer, dataclasses.astuple(value))):
        raise OptionError(f"a box is a Box of whole pixels, found {value!r}")
    if not (0 <= value.x0 < value.x1 <= size[0] and 0 <= value.y0 < value.y1 <= size[1]):
        raise OptionError(f"{value} must lie inside the {size_text(size)} output")
    return value


def _integers(value: object, count: int, what: str) -> list[int]:
    items = list(value) if isinstance(value, (tuple, list)) else []
    if len(items) != count or not all(_is_integer(item) for item in items):
        raise OptionError(f"{what} in whole pixels, found {value!r}")
    return [operator.index(item) for item in items]


def _is_integer(value: object) -> bool:
    try:
        operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return False
    return not isinstance(value, bool)
