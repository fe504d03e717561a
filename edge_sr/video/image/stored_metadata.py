"""Metadata of files that Pillow does not open, or of which it does not hand on all: HEIF, TIFF and Photoshop's."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_sr.video.image.files import psd_resources
from edge_sr.video.image.files.deep_files import ICC, XMP
from edge_sr.video.image.files.exif import EXIF_IFD, GPS_IFD, Tags, described
from edge_sr.video.image.files.heif_items import HeifPicture
from edge_sr.video.image.files.tiff_tags import BIG_TIFF
from edge_sr.video.image.files.xmp import renewed
from edge_sr.video.image.metadata import Metadata, stated_dpi

FIXED_POINT = 1 << 16

Found = tuple[Metadata, list[str]]


def heif_metadata(picture: HeifPicture) -> Found:
    """EXIF with its resolution, and XMP; the colour profile comes with the pixels."""
    exif, dpi, lost = _exif(lambda exif: exif.load(picture.exif or b""))
    return Metadata(exif=exif, dpi=dpi, xmp=_xmp(picture.xmp)), lost


def tiff_metadata(path: Path, tags: Any) -> Found:
    """All that a TIFF of these ``tags`` says in its directories, of a BigTIFF in the first one alone."""
    with path.open("rb") as file:
        if file.read(4) == BIG_TIFF:
            first = {tag: value for tag, value in tags.items() if tag not in (EXIF_IFD, GPS_IFD)}
            exif, dpi, lost = _exif(lambda exif: exif.update(first))
        else:
            file.seek(0)
            exif, dpi, lost = _exif(lambda exif: exif.load_from_fp(file))
    icc, xmp = tags.get(ICC), tags.get(XMP)
    if icc and not isinstance(icc, bytes):
        icc, lost = None, [*lost, "the colour profile (malformed)"]
    return Metadata(icc=icc, exif=exif, dpi=dpi, xmp=_xmp(xmp)), lost


def psd_metadata(path: Path) -> Found:
    """EXIF, XMP, resolution and colour profile of a Photoshop file; nothing of another file."""
    found = psd_resources.read_resources(path)
    exif, dpi, lost = _exif(lambda exif: exif.load(found.get(psd_resources.EXIF, b"")))
    stated = found.get(psd_resources.RESOLUTION, b"")
    if len(stated) >= 12:
        # Fixed-point pixels an inch, whatever unit is shown.
        across, down = struct.unpack_from(">I", stated)[0], struct.unpack_from(">I", stated, 8)[0]
        if min(across, down) >= FIXED_POINT:  # less is what some programs write for none
            dpi = across / FIXED_POINT, down / FIXED_POINT
    icc, xmp = found.get(psd_resources.PROFILE), found.get(psd_resources.XMP)
    return Metadata(icc=icc, exif=exif, dpi=dpi, xmp=_xmp(xmp)), lost


def _exif(load: Callable[[Any], None]) -> tuple[Tags | None, tuple[float, float] | None, list[str]]:
    from PIL import Image

    exif = Image.Exif()
    try:
        load(exif)
        tags, lost = described(exif)
        return tags, stated_dpi(exif), lost
    except Exception:  # Pillow's decoder raises whatever malformed EXIF makes it raise
        return None, None, ["EXIF (malformed)"]


def _xmp(found: Any) -> bytes | None:
    return renewed(found) if isinstance(found, bytes) else None
