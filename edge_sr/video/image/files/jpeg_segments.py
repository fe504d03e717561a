"""Application segments of a JPEG (ITU-T T.81, B.2.4.6): what is not handed on, and the shape of the pixels."""

from __future__ import annotations

import struct
from collections.abc import Iterable

GAIN_MAP_LOST = "the gain map (the SDR picture is read)"
CREDENTIALS_LOST = "its Content Credentials (C2PA), which vouch for the picture as it was"
# How those begin that are kept, or say only how the old file is made: JFIF, Adobe's colours and qualities, the list of
# an MPO's pictures.
HANDED_ON = {
    "APP0": (b"",),
    "APP1": (b"Exif\0", b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"),
    "APP2": (b"ICC_PROFILE\0", b"MPF\0"),
    "APP12": (b"Ducky",),
    "APP13": (b"",),
    "APP14": (b"Adobe",),
}
ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
# JFIF's header (ITU-T T.871, 10.1), whose unit of density stands behind the version.
JFIF, LARGEST_DENSITY = b"\xff\xd8\xff\xe0\0\x10JFIF\0", 65_535
UNIT = len(JFIF) + 2


def unkept_segments(segments: Iterable[tuple[str, bytes]]) -> list[str]:
    """A name for each thing that is left out; ``segments``: marker, or "COM", and content."""
    others = [
        (marker, data)
        for marker, data in segments
        if marker != "COM" and not data.startswith(HANDED_ON.get(marker, ()))
    ]
    gain_map = any(data.startswith(ISO_GAIN_MAP) for _, data in others)
    # JUMBF's boxes, of which C2PA's say so in the first.
    signed = any(marker == "APP11" and b"c2pa" in data for marker, data in others)
    known = {"APP11"} if signed else set()
    unknown = dict.fromkeys(
        marker for marker, data in others if marker not in known and not data.startswith(ISO_GAIN_MAP)
    )
    named = f"the JPEG segment{'s' * (len(unknown) > 1)} {', '.join(unknown)}"
    return [*[GAIN_MAP_LOST] * gain_map, *[CREDENTIALS_LOST] * signed, *[named] * bool(unknown)]


def with_aspect(jpeg: bytes, aspect: tuple[int, int]) -> bytes:
    """The file with so many pixels across and down for the same length, whatever that is: at most ``LARGEST_DENSITY``.

    A file without such a header stays as it is.
    """
    if not jpeg.startswith(JFIF):
        return jpeg
    return jpeg[:UNIT] + struct.pack(">BHH", 0, *aspect) + jpeg[UNIT + 5 :]
