"""What a picture's file says in pixels stays true where the picture is turned, enlarged and cut.

EXIF's subject, and XMP's sizes, panorama (Google's GPano) and regions of faces (the Metadata Working Group's mwg-rs,
Microsoft's MPReg).
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

from edge_sr.sizes import Box, Size, whole
from edge_sr.video.frames.orientation import UPRIGHT, Orientation
from edge_sr.video.image.files.exif import Tags
from edge_sr.video.image.files.xmp import elements, with_elements

SUBJECT_AREA, SUBJECT_LOCATION, MOST = 37396, 41492, 65_535
# A property's number, as an attribute or as an element.
NUMBER = rb"""(?P<before>\s*(?:=\s*["']|>)\s*)(?P<number>-?\d{1,9}(?:\.\d{0,20})?)(?![\w.])"""
SIZES = re.compile(rb"(?P<name>(?:exif:Pixel[XY]Dimension|tiff:Image(?:Width|Length))\b)" + NUMBER)
DIMENSIONS = re.compile(rb"(?P<name>stDim:[wh]\b)" + NUMBER)
PANORAMA = re.compile(
    rb"(?P<name>GPano:(?P<of>FullPano|CroppedAreaImage|CroppedArea|LargestValidInteriorRect)"
    rb"(?P<side>Width|Height|Left|Top)(?:Pixels)?)" + NUMBER
)
APPLIED_TO = re.compile(rb"<(mwg-rs:AppliedToDimensions)(?=[\s/>])")
AREA = re.compile(rb"<(mwg-rs:Area)(?=[\s/>])")
SIDES = re.compile(rb"(?P<name>stArea:(?P<side>[xywh]))\b" + NUMBER)
SUBJECT = re.compile(rb"<(exif:SubjectArea)(?=[\s/>])")
ITEMS = re.compile(rb"(<rdf:li>)([^<]*)(</rdf:li>)")
REGIONS = re.compile(rb"<(mwg-rs:Regions|MPRI:Regions)(?=[\s/>])")
# Left, top, width and height, in parts of the picture's.
PART = rb"\s*\d?\.?\d{1,20}\s*"
RECTANGLE = re.compile(rb"""(MPReg:Rectangle\s*(?:=\s*["']|>))(%b(?:,%b){3})(?=["'<])""" % (PART, PART))


@dataclasses.dataclass(frozen=True)
class Placement:
    """A picture of ``size`` was turned, then enlarged to ``whole``, of which ``box`` was kept."""

    turn: Orientation
    size: Size
    whole: Size
    box: Box

    @property
    def is_cut(self) -> bool:
        return self.box != whole(self.whole)

    @property
    def shown(self) -> Size:
        """The size once it was turned."""
        return self.turn.displayed(*self.size)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where a point went."""
        width, height = self.shown
        across, down = (y, x) if self.turn.transpose else (x, y)
        across = width - across if self.turn.mirror_x else across
        down = height - down if self.turn.mirror_y else down
        wide, high = self.whole
        return across * wide / width - self.box.x0, down * high / height - self.box.y0

    def extent(self, x: float, y: float) -> tuple[float, float]:
        """What became of a width and a height."""
        width, height = self.shown
        across, down = (y, x) if self.turn.transpose else (x, y)
        return across * self.whole[0] / width, down * self.whole[1] / height


def turned(turn: Orientation, size: Size) -> Placement:
    """Of a picture that was stored in ``size``."""
    shown = turn.displayed(*size)
    return Placement(turn, size, shown, whole(shown))


def enlarged(size: Size, to: Size, box: Box | None) -> Placement:
    return Placement(UPRIGHT, size, to, box or whole(to))


def placed_exif(tags: Tags, placement: Placement) -> Tags:
    """EXIF with its subject where it is now, and without one that is not to be seen any more."""
    result = tags.copied()
    for tag in (SUBJECT_AREA, SUBJECT_LOCATION):
        values = result.exposure.pop(tag, None)
        moved = _subject(values, placement)
        if moved is not None:
            result.exposure[tag] = moved
    return result


def _subject(values: Any, placement: Placement) -> tuple[int, ...] | None:
    """A point, a circle of its diameter, or a rectangle around it, by its width and height."""
    if not isinstance(values, Sequence) or not 2 <= len(values) <= 4:
        return None
    try:
        x, y, *sides = map(float, values)
    except (TypeError, ValueError):
        return None
    if not all(map(math.isfinite, (x, y, *sides))):
        return None
    x, y = placement.point(x, y)
    width, height = placement.extent(sides[0], sides[-1]) if sides else (0.0, 0.0)
    moved = (x, y, width, height)[: len(values)]
    inside = 0 <= x <= placement.box.width and 0 <= y <= placement.box.height
    return tuple(map(round, moved)) if inside and min(moved) >= 0 and max(moved) <= MOST else None


def placed_xmp(xmp: bytes, placement: Placement) -> tuple[bytes, list[str]]:
    """XMP with sizes and places as they are now; a name for regions, which it has no more of a picture that is cut."""
    lost = []
    if placement.is_cut and elements(xmp, REGIONS):
        xmp = with_elements(xmp, REGIONS, lambda element: b"")
        lost = ["the regions of its faces (the picture is cut)"]

    def sized(match: re.Match[bytes]) -> bytes:
        across = match["name"].endswith((b"XDimension", b"Width", b":w"))
        return _with(match, placement.box.width if across else placement.box.height)

    xmp = with_elements(SIZES.sub(sized, xmp), APPLIED_TO, lambda element: DIMENSIONS.sub(sized, element))
    xmp = PANORAMA.sub(lambda match: _with(match, _panorama(match, placement)), xmp)
    xmp = with_elements(xmp, SUBJECT, lambda element: _listed_subject(element, placement))
    if placement.turn != UPRIGHT:
        xmp = RECTANGLE.sub(lambda match: match[1] + _turned_rectangle(match[2], placement.turn), xmp)
    return with_elements(xmp, AREA, lambda element: _area(element, placement.turn)), lost


def _listed_subject(span: bytes, placement: Placement) -> bytes:
    moved = _subject([text.decode("latin-1") for _, text, _ in ITEMS.findall(span)], placement)
    numbers = iter(moved or ())
    return ITEMS.sub(lambda match: match[1] + b"%d" % next(numbers) + match[3], span) if moved else b""


def _with(match: re.Match[bytes], number: float) -> bytes:
    return match["name"] + match["before"] + f"{number:.10g}".encode()


def _panorama(match: re.Match[bytes], placement: Placement) -> int:
    """A size or a place, in pixels of the whole sphere or of the picture, which shows a part of it."""
    box, axis = placement.box, int(match["side"] in (b"Height", b"Top"))
    before, after = placement.shown[axis], placement.whole[axis]
    kept, start = ((box.width, box.x0), (box.height, box.y0))[axis]
    number = float(match["number"])
    if match["of"] == b"CroppedAreaImage":
        return round(number * kept / before)
    if match["of"] == b"FullPano":
        return round(number * after / before)
    # Rounded down, so that with its size it stays within the sphere.
    enlarged = int(number * after / before)
    if match["side"] in (b"Width", b"Height"):
        return enlarged
    return max(0, enlarged + (start if match["of"] == b"CroppedArea" else -start))


def _area(span: bytes, turn: Orientation) -> bytes:
    """A region by its centre and size, in parts of the picture's."""
    found = {match["side"]: float(match["number"]) for match in SIDES.finditer(span)}
    if not {b"x", b"y"} <= found.keys() or turn == UPRIGHT:
        return span
    centre, extent = (found[b"x"], found[b"y"]), (found.get(b"w", 0), found.get(b"h", 0))
    moved = dict(zip((b"x", b"y", b"w", b"h"), _turned_region(turn, centre, extent), strict=True))
    return SIDES.sub(lambda match: _with(match, moved[match["side"]]), span)


def _turned_rectangle(numbers: bytes, turn: Orientation) -> bytes:
    left, top, width, height = map(float, numbers.split(b","))
    centre = left + width / 2, top + height / 2
    x, y, wide, high = _turned_region(turn, centre, (width, height))
    return ", ".join(f"{number:.10g}" for number in (x - wide / 2, y - high / 2, wide, high)).encode()


def _turned_region(
    turn: Orientation, centre: tuple[float, float], extent: tuple[float, float]
) -> tuple[float, ...]:
    """Centre and size once the picture is turned, in parts of its own."""
    unit = Placement(turn, (1, 1), (1, 1), Box(0, 0, 1, 1))
    return (*unit.point(*centre), *unit.extent(*extent))
