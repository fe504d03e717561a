"""A picture's file, its header read: by whom it is read, how it is turned, and what of it is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sr.errors import MediaError
from edge_sr.video.frames.orientation import UPRIGHT, Orientation
from edge_sr.video.image import pillow_reader
from edge_sr.video.image.ffmpeg_reader import first_frame
from edge_sr.video.image.files.exif import ORIENTATION, know_utf8
from edge_sr.video.image.files.heif_items import HeifPicture, read_items
from edge_sr.video.image.files.jpeg_segments import GAIN_MAP_LOST
from edge_sr.video.image.files.lossless_jpeg import refuse_misread_jpeg
from edge_sr.video.image.files.png_chunks import is_png, kept_chunks, repeated_texts, unkept_chunks
from edge_sr.video.image.files.psd_planes import composite_tags
from edge_sr.video.image.files.psd_resources import is_psd
from edge_sr.video.image.files.tiff_pages import SUBFILE, read_pages
from edge_sr.video.image.files.tiff_planes import is_read_by_planes
from edge_sr.video.image.files.tiff_tags import (
    EXTRA_SAMPLES,
    NOT_ALPHA,
    PHOTOMETRIC,
    SAMPLES_PER_PIXEL,
    read_tags,
    refuse_big,
    refuse_layout,
    refuse_misread,
    refuse_planes,
    refuse_samples,
)
from edge_sr.video.image.metadata import raw_exif
from edge_sr.video.image.pillow_reader import bits_a_channel
from edge_sr.video.image.recognise import ANIMATED, is_avif, is_heic, is_raw, open_picture, pictures_in

if TYPE_CHECKING:
    import av

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
DNG_VERSION, SUB_DIRECTORIES = 50706, 330
# Pictures that cameras store before they are developed: a colour filter's mosaic, and linear light.
RAW = "{} is a camera's raw picture: develop it to TIFF or PNG first"
UNDEVELOPED = (32803, 34892)


@dataclasses.dataclass(frozen=True)
class PictureFile:
    """A picture's file, its header read: ``image`` is Pillow's, None where FFmpeg reads all; ``tags`` are a TIFF's.

    ``in_planes``: whether it is read plane by plane, as ``tags`` say, which then are a Photoshop file's too. ``frame``:
    the picture that FFmpeg decoded to tell whether it can.
    """

    path: Path
    image: Any = None
    heif: HeifPicture | None = None
    chunks: dict[bytes, bytes] = dataclasses.field(default_factory=dict)
    lost: tuple[str, ...] = ()
    tags: Any = dataclasses.field(default_factory=dict)
    orientation: Orientation = UPRIGHT
    damage: str = ""
    frame: av.VideoFrame | None = None
    in_planes: bool = False

    @property
    def deep(self) -> bool:
        if self.heif is not None:
            return self.heif.depth > 8
        return bits_a_channel(self.path, self.image) > 8

    @property
    def has_more(self) -> bool:
        """Whether it has channels of which Pillow says nothing: grey's alpha, and those behind alpha."""
        return self.tags[SAMPLES_PER_PIXEL] not in (1, 3, 4)

    def close(self) -> None:
        if self.image is not None:
            self.image.close()


def open_file(path: Path) -> PictureFile:
    """Raises ``MediaError`` when it is not a single picture, ``MissingError`` for HEIC that needs its extra."""
    know_utf8()
    if is_raw(path):
        raise MediaError(RAW.format(path))
    if is_heic(path):
        try:
            return _of_items(path, read_items(path))
        except MediaError:
            image = open_picture(path)
            return PictureFile(path, image, lost=_beside_primary(pictures_in(image) - 1))
    try:
        image, damage = pillow_reader.opened(path)
    except MediaError:
        return _opened_by_ffmpeg(path)
    if image.format == "PSD" and (photoshop := _photoshop(path)) and photoshop.has_more:
        image.close()
        return photoshop
    try:
        return _opened_by_pillow(path, image, damage)
    except BaseException:
        image.close()
        raise


def _opened_by_pillow(path: Path, image: Any, damage: str) -> PictureFile:
    lost = _single(path, image)
    tags = image.tag_v2 if image.format == "TIFF" else {}
    refuse_misread(path, tags)
    refuse_samples(path, tags)
    in_planes = is_read_by_planes(tags)
    if not in_planes:
        refuse_planes(path, tags)
    if image.mode in ("F", "I") and image.format != "PPM":
        raise MediaError(f"{path} has samples of type {image.mode}, expected 8 or 16 bits a channel")
    chunks = kept_chunks(path) if image.format == "PNG" else {}
    beside = _unkept(path) if image.format == "PNG" else ()
    heif = read_items(path) if image.format == "AVIF" else None
    lost = (*lost, *(() if heif is None else _beside(heif)), *_unnamed_channels(tags), *beside)
    turn = _orientation_of(image, chunks) if heif is None else heif.orientation
    pillow_reader.as_stored(image)
    return PictureFile(path, image, heif, chunks, lost, tags, turn, damage, in_planes=in_planes)


def _unkept(path: Path) -> tuple[str, ...]:
    """What a PNG says that Pillow does not hand on."""
    texts = (f"all but the last of the texts {key}" for key in repeated_texts(path))
    chunks = unkept_chunks(path)
    named = f"the chunk{'s' * (len(chunks) > 1)} {', '.join(chunks)}"
    return (*texts, *([named] if chunks else []))


def _of_items(path: Path, items: HeifPicture) -> PictureFile:
    return PictureFile(path, heif=items, lost=_beside(items), orientation=items.orientation)


def _beside(items: HeifPicture) -> tuple[str, ...]:
    gain_map = (GAIN_MAP_LOST,) if items.has_gain_map else ()
    maps = (f"what belongs to it ({', '.join(items.auxiliary)})",) if items.auxiliary else ()
    return (*gain_map, *maps, *_beside_primary(items.others))


def _beside_primary(others: int) -> tuple[str, ...]:
    if others < 1:
        return ()
    return (f"the {f'{others} other pictures' if others > 1 else 'other picture'} (the primary one is read)",)


def _opened_by_ffmpeg(path: Path) -> PictureFile:
    """What Pillow does not know or refuses."""
    if is_avif(path):
        return _of_items(path, read_items(path))
    if photoshop := _photoshop(path):
        return photoshop
    refuse_misread_jpeg(path)
    tags = read_tags(path)
    refuse_samples(path, tags)
    in_planes = is_read_by_planes(tags)
    if not in_planes:
        refuse_layout(path, tags)
        refuse_big(path)
    frame = None if in_planes else _frame(path)
    lost = (*_unnamed_channels(tags), *(("what its chunks say beside the pixels",) if is_png(path) else ()))
    return PictureFile(
        path, frame=frame, lost=lost, tags=tags, orientation=_orientation(tags), in_planes=in_planes
    )


def _frame(path: Path) -> av.VideoFrame:
    try:
        return first_frame(path)
    except MediaError as error:
        if is_psd(path):
            raise MediaError(
                f"{path} is a Photoshop file of a kind that is not read, expected 8 bits, or 16 in grey or RGB: "
                "save it as TIFF or PNG"
            ) from error
        raise


def _unnamed_channels(tags: Any) -> tuple[str, ...]:
    unnamed = NOT_ALPHA in tags.get(EXTRA_SAMPLES, ())
    return ("a channel beside the colours that is not said to be alpha",) if unnamed else ()


def _photoshop(path: Path) -> PictureFile | None:
    """The picture of a Photoshop file that is read plane by plane."""
    tags = composite_tags(path)
    more = len(tags.get(EXTRA_SAMPLES, ())) > 1
    lost = ("the channels beside the colours and alpha",) if more else ()
    return PictureFile(path, lost=lost, tags=tags, in_planes=True) if tags else None


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
        pages = read_pages(path)
        count = 1 if pages is None else len(pages)
    if count > 1 and image.format in ("TIFF", *ANIMATED):
        raise MediaError(f"{path} holds {count} pictures, expected one: split it, or make a film of it first")
    return ()


def _subfile(image: Any) -> int:
    """What the directory's picture is, by its bits."""
    stated = image.tag_v2.get(SUBFILE, 0)
    return stated if isinstance(stated, int) else 0


def _refuse_undeveloped(path: Path, image: Any) -> None:
    tags = image.tag_v2
    thumbnail = _subfile(image) & 1 and SUB_DIRECTORIES in tags
    if thumbnail or DNG_VERSION in tags or tags.get(PHOTOMETRIC) in UNDEVELOPED:
        raise MediaError(RAW.format(path))
