"""XMP of a picture that is written anew: upright, and without what it says of what is left out."""

from __future__ import annotations

import re

TURNED = re.compile(rb'(tiff:Orientation(?:="|>))[2-8]')
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
# Google's list of all that the file holds, the picture its first entry.
PARTS = re.compile(rb"<(?P<list>G?Container):Directory\b.*?</(?P=list):Directory>", re.DOTALL)
# Adobe's description of a gain map and Google's of a film, as attributes and as elements, and Google's list of all that
# the file holds.
OF_PARTS = re.compile(
    rb"""\s(?:hdrgm:\w+|G?Camera:(?:MotionPhoto|MicroVideo)\w*)\s*=\s*("[^"]*"|'[^']*')"""
    rb"|<(?P<name>hdrgm:\w+|G?Camera:(?:MotionPhoto|MicroVideo)\w*)\b[^>]*(/>|>.*?</(?P=name)>)"
    rb"|<(?P<list>G?Container):Directory\b.*?</(?P=list):Directory>",
    re.DOTALL,
)


def upright(xmp: bytes) -> bytes:
    return TURNED.sub(rb"\g<1>1", xmp)


def without_extension(xmp: bytes) -> bytes:
    return EXTENDED.sub(b"", xmp)


def states_gain_map(xmp: bytes) -> bool:
    return GAIN_MAP in xmp


def states_motion_photo(xmp: bytes) -> bool:
    return MOTION_PHOTO.search(xmp) is not None


def lists_parts(xmp: bytes) -> bool:
    """Whether it lists more in the file than the picture."""
    return any(match[0].count(b"<rdf:li") > 1 for match in PARTS.finditer(xmp))


def without_parts(xmp: bytes) -> bytes:
    """Without what it says of a gain map, a film or other parts in the same file."""
    return OF_PARTS.sub(b"", xmp)
