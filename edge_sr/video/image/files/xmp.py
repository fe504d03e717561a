"""XMP of a picture that is written anew: upright, and without what it says of pictures that are left out."""

from __future__ import annotations

import re

TURNED = re.compile(rb'(tiff:Orientation(?:="|>))[2-8]')
# By which a JPEG's XMP refers to what did not fit into its segment.
EXTENDED = re.compile(
    rb"""\sxmpNote:HasExtendedXMP\s*=\s*("[^"]*"|'[^']*')"""
    rb"|<xmpNote:HasExtendedXMP>[^<]*</xmpNote:HasExtendedXMP>"
)
GAIN_MAP = b"hdrgm:"
# Adobe's description of a gain map, as attributes and as elements, and Google's list of the file's pictures.
OF_GAIN_MAPS = re.compile(
    rb"""\shdrgm:\w+\s*=\s*("[^"]*"|'[^']*')"""
    rb"|<hdrgm:(?P<name>\w+)\b[^>]*(/>|>.*?</hdrgm:(?P=name)>)"
    rb"|<(?P<list>G?Container):Directory\b.*?</(?P=list):Directory>",
    re.DOTALL,
)


def upright(xmp: bytes) -> bytes:
    return TURNED.sub(rb"\g<1>1", xmp)


def without_extension(xmp: bytes) -> bytes:
    return EXTENDED.sub(b"", xmp)


def states_gain_map(xmp: bytes | None) -> bool:
    return GAIN_MAP in (xmp or b"")


def without_gain_map(xmp: bytes) -> bytes:
    return OF_GAIN_MAPS.sub(b"", xmp)
