"""Still pictures to RGB arrays, 8 bits a channel or float32 for deeper ones.

Pillow reads 8 bits; of most pictures with more it would keep only 8, so those are read in two passes (TIFF) or by
FFmpeg, which also reads what Pillow does not know.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from edge_sr.errors import MediaError
from edge_sr.video.frames.colour import BT709, HDR_TRANSFERS, RGB, UNSPECIFIED
from edge_sr.video.frames.orientation import UPRIGHT, Orientation
from edge_sr.video.frames.pixels import layout_of
from edge_sr.video.image import pillow_reader
from edge_sr.video.image.ffmpeg_reader import first_frame, frame_pixels, heif_pixels
from edge_sr.video.image.files.exif import ORIENTATION, described
from edge_sr.video.image.files.heif_items import HeifPicture, read_items
from edge_sr.video.image.files.png_chunks import kept_chunks
from edge_sr.video.image.files.tiff_tags import (
    EXTRA_SAMPLES,
    NOT_ALPHA,
    PHOTOMETRIC,
    PLANAR,
    PREMULTIPLIED,
    TILE_WIDTH,
    read_tags,
    refuse_layout,
    refuse_misread,
    refuse_samples,
)
from edge_sr.video.image.metadata import CICP, Metadata, raw_exif, read_metadata
from edge_sr.video.image.pillow_reader import Pixels, bits_a_channel
from edge_sr.video.image.recognise import ANIMATED, is_avif, is_heic, open_picture, pictures_in, tags_unheard
from edge_sr.video.image.still import Still, StillInfo

# EXIF's eight orientations as a transposition and two mirrors.
EXIF_ORIENTATIONS = {
    2: Orientation(mirror_x=True),
    3: Orientation(mirror_x=True, mirror_y=True),
    4: Orientation(mirror_y=True),
    5: Orientation(transpose=True),
    6: Orientation(transpose=True, mirror_x=True),
    7: Orientation(transpose=True, mirror_x=True, mirror_y=True),
    8: Orientation(transpose=True, mirror_y=True),
}
DNG_VERSION, SUB_DIRECTORIES, SUBFILE = 50706, 330, 254
# Pictures that cameras store before they are developed: a colour filter's mosaic, and linear light.
UNDEVELOPED = (32803, 34892)


@dataclasses.dataclass(frozen=True)
class _File:
    """A picture's file, its header read: ``image`` is Pillow's, None where FFmpeg reads all; ``tags`` are a TIFF's."""

    path: Path
    image: Any = None
    heif: HeifPicture | None = None
    chunks: dict[bytes, bytes] = dataclasses.field(default_factory=dict)
    lost: tuple[str, ...] = ()
    tags: Any = dataclasses.field(default_factory=dict)
    orientation: Orientation = UPRIGHT
    damage: str = ""

    @property
    def deep(self) -> bool:
        if self.heif is not None:
            return self.heif.depth > 8
        return bits_a_channel(self.path, self.image) > 8


def read_info(path: Path) -> StillInfo:
    """Size, depth and format; the pixels are decoded only of what Pillow does not know.

    Raises ``MediaError`` when it is not a single picture, ``MissingError`` for HEIC that needs its extra.
    """
    with tags_unheard():
        file = _opened(path)
    if file.heif is not None:
        size, deep = (file.heif.crop.width, file.heif.crop.height), file.deep
        content = "AVIF" if file.image is not None else "HEIF"
    elif file.image is not None:
        size, deep, content = file.image.size, file.deep, str(file.image.format)
    else:
        frame = first_frame(path)
        size, deep, content = (frame.width, frame.height), layout_of(frame.format).depth > 8, ""
    return StillInfo(file.orientation.displayed(*size), deep, content)


def read_still(path: Path) -> Still:
    """The whole picture, upright, as far as it decodes; ``MediaError`` when nothing of it does."""
    with tags_unheard():
        file = _opened(path)
        pixels, metadata, lost, damage = _decoded(file)
    turn = UPRIGHT if pixels.upright else file.orientation
    alpha = None if pixels.alpha is None else turn.apply(pixels.alpha[..., None])[..., 0]
    metadata = _with_colours(metadata, file.heif)
    return Still(
        turn.apply(pixels.colour),
        alpha,
        pixels.grey,
        dataclasses.replace(metadata, icc=pixels.icc),
        pixels.notes,
        (*file.lost, *_left_out(file.tags), *pixels.lost, *lost),
        damage or file.damage,
    )


def _left_out(tags: Any) -> list[str]:
    unnamed = tags.get(EXTRA_SAMPLES, ()).count(NOT_ALPHA)
    return ["a channel beside the colours that is not said to be alpha"] * bool(unnamed)


def _with_colours(metadata: Metadata, heif: HeifPicture | None) -> Metadata:
    """HEIF's colour description as PNG's chunk, where it is not sRGB's: the pixels are RGB of full range by now."""
    if heif is None or heif.nclx is None or heif.icc:
        return metadata
    primaries, transfer = heif.nclx[:2]
    if transfer not in HDR_TRANSFERS and primaries in (BT709, UNSPECIFIED):
        return metadata
    description = bytes([primaries, transfer, RGB, 1])
    return dataclasses.replace(metadata, chunks={**metadata.chunks, CICP: description})


def _opened(path: Path) -> _File:
    if is_heic(path):
        try:
            items = read_items(path)
            return _File(path, heif=items, orientation=items.orientation)
        except MediaError:
            return _File(path, open_picture(path))
    try:
        image, damage = pillow_reader.opened(path)
    except MediaError:
        return _opened_by_ffmpeg(path)
    lost = _single(path, image)
    tags = image.tag_v2 if image.format == "TIFF" else {}
    refuse_misread(path, tags)
    refuse_samples(path, tags)
    if image.mode in ("F", "I") and image.format != "PPM":
        raise MediaError(f"{path} has samples of type {image.mode}, expected 8 or 16 bits a channel")
    chunks = kept_chunks(path) if image.format == "PNG" else {}
    heif = read_items(path) if image.format == "AVIF" else None
    turn = _orientation_of(image, chunks) if heif is None else heif.orientation
    pillow_reader.as_stored(image)
    return _File(path, image, heif, chunks, lost, tags, turn, damage)


def _opened_by_ffmpeg(path: Path) -> _File:
    """What Pillow does not know or refuses."""
    if is_avif(path):
        items = read_items(path)
        return _File(path, heif=items, orientation=items.orientation)
    tags = read_tags(path)
    refuse_samples(path, tags)
    refuse_layout(path, tags)
    first_frame(path)
    return _File(path, tags=tags, orientation=_orientation(tags))


def _orientation_of(image: Any, chunks: dict[bytes, bytes]) -> Orientation:
    try:
        return _orientation(raw_exif(image, chunks))
    except Exception:  # Pillow's decoder raises whatever malformed EXIF makes it raise
        return UPRIGHT


def _orientation(tags: Any) -> Orientation:
    number = tags.get(ORIENTATION, 1)
    return EXIF_ORIENTATIONS.get(number, UPRIGHT) if isinstance(number, int) else UPRIGHT


def _single(path: Path, image: Any) -> tuple[str, ...]:
    """What is left out of a file beside the picture that is read; ``MediaError`` for several of equal right."""
    count = pictures_in(image)
    if image.format == "MPO":
        more = "the second picture" if count == 2 else f"the other {count - 1} pictures"
        return (f"{more} (the first of {count} is read)",) if count > 1 else ()
    if image.format == "TIFF":
        _refuse_undeveloped(path, image)
        count = _pages(image, count)
    if count > 1 and image.format in ("TIFF", *ANIMATED):
        raise MediaError(f"{path} holds {count} pictures, expected one: split it, or make a film of it first")
    return ()


def _pages(image: Any, count: int) -> int:
    """Pages of a TIFF without thumbnails and masks."""
    pages = 0
    for page in range(count):
        image.seek(page)
        pages += page == 0 or not image.tag_v2.get(SUBFILE, 0) & 5
    image.seek(0)
    return pages


def _refuse_undeveloped(path: Path, image: Any) -> None:
    tags = image.tag_v2
    thumbnail = tags.get(SUBFILE, 0) & 1 and SUB_DIRECTORIES in tags
    if thumbnail or DNG_VERSION in tags or tags.get(PHOTOMETRIC) in UNDEVELOPED:
        raise MediaError(f"{path} is a camera's raw picture: develop it to TIFF or PNG first")


def _decoded(file: _File) -> tuple[Pixels, Metadata, list[str], str]:
    if file.image is None:
        return _by_ffmpeg(file)
    deep = file.deep  # known only until the pixels are loaded
    if deep:
        pixels = _deep_pixels(file)
        if pixels is not None:
            metadata, lost = read_metadata(file.image, file.chunks)
            return pixels, metadata, lost, pillow_reader.missing_rows(file.path, file.image)
    if file.tags.get(PLANAR, 1) != 1 and PREMULTIPLIED in file.tags.get(EXTRA_SAMPLES, ()):
        return (_planes(file), *read_metadata(file.image, file.chunks), "")
    image, damage = pillow_reader.loaded(file.path, file.image)
    metadata, lost = read_metadata(image, file.chunks)
    pixels = pillow_reader.eight_bit_pixels(image, of_more=deep)
    # Pillow knows no clean aperture.
    return pixels if file.heif is None else pixels.within(file.heif.crop), metadata, lost, damage


def _by_ffmpeg(file: _File) -> tuple[Pixels, Metadata, list[str], str]:
    if file.heif is None:
        return _frame_of(file), Metadata(), [], ""
    try:
        pixels = heif_pixels(file.path, file.heif)
    except MediaError:
        # What FFmpeg does not decode (overlays, other codecs) is left to libheif, an extra.
        image, damage = pillow_reader.loaded(file.path, open_picture(file.path))
        pixels = pillow_reader.eight_bit_pixels(image)._replace(upright=True)
        return pixels, read_metadata(image, {})[0], [], damage
    return pixels, Metadata(exif=_heif_exif(file.heif)), [], ""


def _heif_exif(picture: HeifPicture) -> Any:
    from PIL import Image

    exif = Image.Exif()
    try:
        exif.load(picture.exif or b"")
        return described(exif)[0]
    except Exception:  # as above
        return None


def _deep_pixels(file: _File) -> Pixels | None:
    """More than 8 bits, or None where only 8 can be read."""
    if file.heif is not None:
        return heif_pixels(file.path, file.heif)
    if file.image.format != "TIFF":
        icc = file.image.info.get("icc_profile")
        return frame_pixels(first_frame(file.path))._replace(icc=icc)
    pixels = pillow_reader.deep_tiff_pixels(file.path, file.image)
    return _planes(file) if pixels is None and file.tags.get(PLANAR, 1) != 1 else pixels


def _planes(file: _File) -> Pixels:
    """A TIFF that keeps each channel for itself; FFmpeg reads strips, and of tiles makes another picture in silence."""
    if TILE_WIDTH in file.tags:
        raise MediaError(
            f"{file.path} keeps its channels in tiled planes, which is not read: save it interleaved"
        )
    return _frame_of(file)._replace(icc=file.image.info.get("icc_profile"))


def _frame_of(file: _File) -> Pixels:
    """By FFmpeg, the channel beside the colours taken for what a TIFF's tags say."""
    pixels = frame_pixels(first_frame(file.path))
    beside = file.tags.get(EXTRA_SAMPLES, ())[:1]
    if beside == (NOT_ALPHA,):
        return pixels._replace(alpha=None)
    return pixels.divided_by_alpha() if beside == (PREMULTIPLIED,) else pixels
