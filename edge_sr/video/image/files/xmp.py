"""XMP of a picture that is written anew: upright, and without the old one's thumbnails and what is left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

TURNED = re.compile(rb"""(tiff:Orientation\s*(?:=\s*["']|>)\s*)[2-8](?![\w.])""")
# Small pictures of it as it was.
THUMBNAILS = re.compile(rb"<((?:xmp|xap):Thumbnails)(?=[\s/>])")
# By which a JPEG's XMP refers to what did not fit into its segment.
EXTENDED = re.compile(
    rb"""\sxmpNote:HasExtendedXMP\s*=\s*("[^"]*"|'[^']*')"""
    rb"|<xmpNote:HasExtendedXMP>[^<]*</xmpNote:HasExtendedXMP>"
)
GAIN_MAP = b"hdrgm:"
# Google's words for a film behind the picture, of both versions of its format.
MOTION_PHOTO = re.compile(
    rb"""\bG?Camera:(?:MotionPhoto|MicroVideo)[\s="'>]+1|\bItem:Semantic[\s="'>]+MotionPhoto\b"""
)
# Adobe's description of a gain map and Google's of a film, as attributes.
OF_PARTS = re.compile(rb"""\s(?:hdrgm:\w+|G?Camera:(?:MotionPhoto|MicroVideo)\w*)\s*=\s*("[^"]*"|'[^']*')""")
# Beginnings of elements: Google's list of all that the file holds, the picture its first entry, and of the like of the
# above.
PARTS = re.compile(rb"<(G?Container:Directory)(?=[\s/>])")
ELEMENTS_OF_PARTS = re.compile(
    rb"<(hdrgm:\w+|G?Camera:(?:MotionPhoto|MicroVideo)\w*|G?Container:Directory)(?=[\s/>])"
)
# A picture that comes from anywhere may open elements without end, whose ends are looked for through all the rest.
MOST_UNCLOSED = 100


def renewed(xmp: bytes) -> bytes:
    """Of a picture that was turned upright, without thumbnails."""
    return TURNED.sub(rb"\g<1>1", with_elements(xmp, THUMBNAILS, lambda element: b""))


def without_extension(xmp: bytes) -> bytes:
    return EXTENDED.sub(b"", xmp)


def states_gain_map(xmp: bytes) -> bool:
    return GAIN_MAP in xmp


def states_motion_photo(xmp: bytes) -> bool:
    return MOTION_PHOTO.search(xmp) is not None


def lists_parts(xmp: bytes) -> bool:
    """Whether it lists more in the file than the picture."""
    return any(element.count(b"<rdf:li") > 1 for element in elements(xmp, PARTS))


def without_parts(xmp: bytes) -> bytes:
    """Without what it says of a gain map, a film or other parts in the same file."""
    return OF_PARTS.sub(b"", with_elements(xmp, ELEMENTS_OF_PARTS, lambda element: b""))


def elements(xmp: bytes, beginning: re.Pattern[bytes]) -> list[bytes]:
    """Each whole element that begins so, none within another; its name is the pattern's first group."""
    return [xmp[start:end] for start, end in _places(xmp, beginning)]


def with_elements(xmp: bytes, beginning: re.Pattern[bytes], change: Callable[[bytes], bytes]) -> bytes:
    """XMP with each of those elements as ``change`` has it."""
    parts, at = list[bytes](), 0
    for start, end in _places(xmp, beginning):
        parts += [xmp[at:start], change(xmp[start:end])]
        at = end
    return b"".join([*parts, xmp[at:]])


def _places(xmp: bytes, beginning: re.Pattern[bytes]) -> Iterator[tuple[int, int]]:
    at, unclosed = 0, 0
    for match in beginning.finditer(xmp):
        if match.start() < at or unclosed > MOST_UNCLOSED:
            continue
        head = xmp.find(b">", match.end())
        close = b"</" + match[1] + b">"
        end = head if xmp[head - 1 : head] == b"/" else xmp.find(close, head)
        if head < 0 or end < 0:
            unclosed += 1
            continue
        at = head + 1 if end == head else end + len(close)
        yield match.start(), at
