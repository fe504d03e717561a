"""Still pictures to RGB arrays, 8 bits a channel or float32 for deeper ones.

Pillow reads 8 bits; of most pictures with more it would keep only 8, so those are read in two passes (TIFF) or by
FFmpeg, which also reads what Pillow does not know.
"""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import numpy as np

from edge_sr.errors import MediaError
from edge_sr.sizes import Size, size_text
from edge_sr.video.frames.colour import BT709, HDR_TRANSFERS, RGB, UNSPECIFIED
from edge_sr.video.frames.orientation import UPRIGHT
from edge_sr.video.frames.pixels import layout_of
from edge_sr.video.image import pillow_reader
from edge_sr.video.image.ffmpeg_reader import first_frame, frame_pixels, heif_pixels
from edge_sr.video.image.files.heif_items import HeifPicture
from edge_sr.video.image.files.jpeg_segments import GAIN_MAP_LOST
from edge_sr.video.image.files.motion_film import has_motion_film
from edge_sr.video.image.files.psd_resources import is_psd
from edge_sr.video.image.files.tga_header import states_no_alpha
from edge_sr.video.image.files.tiff_tags import (
    BITS,
    CMYK,
    EXTRA_SAMPLES,
    HEIGHT,
    NOT_ALPHA,
    PHOTOMETRIC,
    PREMULTIPLIED,
    WHITE_IS_ZERO,
    WIDTH,
)
from edge_sr.video.image.files.xmp import lists_parts, states_gain_map, states_motion_photo, without_parts
from edge_sr.video.image.metadata import CICP, Metadata, read_metadata
from edge_sr.video.image.picture_file import PictureFile, open_file
from edge_sr.video.image.pillow_reader import Pixels
from edge_sr.video.image.placement import turned
from edge_sr.video.image.planar_reader import planar_pixels
from edge_sr.video.image.recognise import open_picture, tags_unheard
from edge_sr.video.image.still import Still, StillInfo
from edge_sr.video.image.stored_metadata import heif_metadata, psd_metadata, tiff_metadata

PARTS_LOST = "the other parts that its XMP lists (its picture is read)"
MOTION_LOST = "the motion photo's film (its picture is read)"


def read_info(path: Path) -> StillInfo:
    """Size, depth and format; the pixels are decoded only of what Pillow does not know.

    Raises ``MediaError`` when it is not a single picture, ``MissingError`` for HEIC that needs its extra.
    """
    with tags_unheard():
        file = open_file(path)
    with contextlib.closing(file):
        if file.heif is not None:
            deep, content = file.deep, "AVIF" if file.image is not None else "HEIF"
        elif file.in_planes:
            deep, content = max(file.tags[BITS]) > 8, "PSD" if is_psd(path) else "TIFF"
        elif file.frame is not None:
            deep, content = layout_of(file.frame.format).depth > 8, ""
        else:
            deep, content = file.deep, str(file.image.format)
        return StillInfo(_displayed_size(file), deep, content)


def _displayed_size(file: PictureFile) -> Size:
    """As the header says."""
    if file.heif is not None:
        size = file.heif.crop.width, file.heif.crop.height
    elif file.in_planes:
        size = file.tags[WIDTH], file.tags[HEIGHT]
    elif file.frame is not None:
        size = file.frame.width, file.frame.height
    else:
        size = file.image.size
    return file.orientation.displayed(*size)


def read_still(path: Path) -> Still:
    """The whole picture, upright, as far as it decodes; ``MediaError`` when nothing of it does, or another size."""
    with tags_unheard(), contextlib.closing(open_file(path)) as file:
        size = _displayed_size(file)  # Pillow may think otherwise once the pixels are loaded
        pixels, metadata, lost, damage = _decoded(file)
    turn = UPRIGHT if pixels.upright else file.orientation
    alpha = None if pixels.alpha is None else turn.apply(pixels.alpha)
    metadata = _with_colours(metadata, file.heif)
    colour = turn.apply(pixels.colour)
    shown = colour.shape[1], colour.shape[0]
    if shown != size:
        raise MediaError(
            f"{path} is damaged: its header says {size_text(size)}, and its picture is {size_text(shown)}"
        )
    metadata, _ = metadata.placed(turned(file.orientation, file.orientation.displayed(*shown)))
    metadata, parts = _without_parts(path, metadata)
    return Still(
        colour,
        alpha,
        pixels.grey,
        dataclasses.replace(metadata, icc=pixels.icc),
        pixels.notes,
        tuple(dict.fromkeys((*file.lost, *pixels.lost, *lost, *parts))),
        damage or file.damage,
    )


def _without_parts(path: Path, metadata: Metadata) -> tuple[Metadata, list[str]]:
    """XMP that no longer speaks of what else the file holds, and a name for that."""
    xmp = metadata.xmp or b""
    is_motion = states_motion_photo(xmp) or has_motion_film(path)
    stated = {GAIN_MAP_LOST: states_gain_map(xmp), MOTION_LOST: is_motion}
    lost = [name for name, found in stated.items() if found] or [PARTS_LOST] * lists_parts(xmp)
    return dataclasses.replace(metadata, xmp=without_parts(xmp) or None) if lost else metadata, lost


def _with_colours(metadata: Metadata, heif: HeifPicture | None) -> Metadata:
    """HEIF's colour description as PNG's chunk, where it is not sRGB's: the pixels are RGB of full range by now."""
    if heif is None or heif.nclx is None or heif.icc:
        return metadata
    primaries, transfer = heif.nclx[:2]
    if transfer not in HDR_TRANSFERS and primaries in (BT709, UNSPECIFIED):
        return metadata
    description = bytes([primaries, transfer, RGB, 1])
    return dataclasses.replace(metadata, chunks={**metadata.chunks, CICP: description})


def _decoded(file: PictureFile) -> tuple[Pixels, Metadata, list[str], str]:
    if file.in_planes:
        return _by_planes(file)
    if file.image is None:
        return _by_ffmpeg(file)
    deep = file.deep  # known only until the pixels are loaded
    if deep:
        pixels, damage = _deep_pixels(file)
        if pixels is not None:
            return pixels, *_said(file), damage or pillow_reader.missing_rows(file.path, file.image)
    image, damage = pillow_reader.loaded(file.path, file.image)
    file = dataclasses.replace(file, image=image)
    pixels = pillow_reader.eight_bit_pixels(file.path, image, of_more=deep)
    # Pillow knows no clean aperture.
    return pixels if file.heif is None else pixels.within(file.heif.crop), *_said(file), damage


def _said(file: PictureFile) -> tuple[Metadata, list[str]]:
    """What the file says beside its pixels, which Pillow has loaded."""
    return psd_metadata(file.path) if file.image.format == "PSD" else read_metadata(file.image, file.chunks)


def _by_planes(file: PictureFile) -> tuple[Pixels, Metadata, list[str], str]:
    pixels, damage = planar_pixels(file.path, file.tags)
    if is_psd(file.path):
        metadata, lost = psd_metadata(file.path)
    else:
        metadata, lost = tiff_metadata(file.path, file.tags) if file.image is None else _said(file)
    return pixels._replace(icc=metadata.icc), metadata, lost, damage


def _by_ffmpeg(file: PictureFile) -> tuple[Pixels, Metadata, list[str], str]:
    if file.heif is None:
        metadata, lost = tiff_metadata(file.path, file.tags) if file.tags else psd_metadata(file.path)
        return _with_profile(_frame_of(file), metadata.icc), metadata, lost, ""
    try:
        pixels = heif_pixels(file.path, file.heif)
    except MediaError:
        # What FFmpeg does not decode (overlays, other codecs) is left to libheif, an extra.
        image, damage = pillow_reader.loaded(file.path, open_picture(file.path))
        pixels = pillow_reader.eight_bit_pixels(file.path, image)._replace(upright=True)
        return pixels, *read_metadata(image, {}), damage
    return pixels, *heif_metadata(file.heif), ""


def _with_profile(pixels: Pixels, icc: bytes | None) -> Pixels:
    """The colour profile, unless FFmpeg has brought its colours, CMYK's for instance, to others."""
    if icc is None or icc[16:20] in (b"RGB ", b"GRAY" if pixels.grey else b"RGB "):
        return pixels._replace(icc=icc)
    return pixels._replace(lost=(*pixels.lost, "the colour profile, which is none of RGB"))


def _deep_pixels(file: PictureFile) -> tuple[Pixels | None, str]:
    """More than 8 bits, or None where only 8 can be read, and what of a TIFF or PNG is damaged, in words."""
    if file.image.format == "TIFF":
        return pillow_reader.deep_tiff_pixels(file.path, file.image)
    if file.heif is not None:
        return heif_pixels(file.path, file.heif), ""
    if file.image.format == "JXL":
        # Of colours its reader gives 8 bits.
        return pillow_reader.deep_grey_pixels(file.image) if file.image.mode == "I;16" else None, ""
    try:
        return frame_pixels(first_frame(file.path))._replace(icc=pillow_reader.profile_in(file.image)), ""
    except MediaError:
        if file.image.format != "PNG":
            raise
    # Of one that is cut short FFmpeg decodes nothing.
    image, damage = pillow_reader.loaded(file.path, file.image)
    return (pillow_reader.deep_grey_pixels(image), damage) if image.mode == "I;16" else (None, "")


def _frame_of(file: PictureFile) -> Pixels:
    """By FFmpeg, the channel beside the colours taken for what a TIFF's tags say."""
    pixels = frame_pixels(file.frame or first_frame(file.path))
    if pixels.alpha is not None and file.tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        # FFmpeg turns all samples round.
        pixels = pixels._replace(alpha=(255 if pixels.alpha.dtype == np.uint8 else 1) - pixels.alpha)
    if file.tags.get(PHOTOMETRIC) == CMYK:
        pixels = pixels._replace(notes=("the CMYK picture becomes RGB, without a CMYK colour profile",))
    beside = file.tags.get(EXTRA_SAMPLES, ())[:1]
    # Some programs leave the fourth byte at zero, others keep alpha there whatever the header says.
    empty = pixels.alpha is not None and not pixels.alpha.any() and states_no_alpha(file.path)
    if empty or beside == (NOT_ALPHA,):
        return pixels._replace(alpha=None)
    return pixels.divided_by_alpha() if beside == (PREMULTIPLIED,) else pixels
