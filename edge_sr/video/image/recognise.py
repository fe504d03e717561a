"""Which files are still pictures, told by their content: names can be wrong, and several pictures can be a film."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_sr.errors import MediaError, MissingError
from edge_sr.machine.optional import require
from edge_sr.video.image.files.psd_resources import is_psd
from edge_sr.video.image.leniency import minding_damage
from edge_sr.video.protocols import opening_options

# Pillow's readers that are used: none that starts another program (EPS) or has no signature to tell it by.
READERS = [
    "PNG",
    "JPEG",
    "WEBP",
    "TIFF",
    "BMP",
    "GIF",
    "AVIF",
    "PPM",
    "JPEG2000",
    "QOI",
    "SGI",
    "PSD",
    "DDS",
    "ICO",
]
# Formats whose several pictures are shown one after another.
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF", "JXL")
# Names by which a folder's pictures are known even where their content is damaged.
SUFFIXES = frozenset(
    """.png .apng .jpg .jpeg .jfif .jpe .mpo .webp .tif .tiff .bmp .dib .avif .heic .heif .jxl .ppm .pgm .pbm .pnm .pam
    .jp2 .j2k .qoi .tga .psd .psb .dds .sgi .exr .dpx .pcx .ico""".split()  # noqa: SIM905
)
# Streams of JPEG pictures, which begin as one picture does.
STREAMS = (".mjpeg", ".mjpg")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2")
# Of cameras' raw files, with their places: Fujifilm's, Olympus', Panasonic's, Sigma's, Minolta's, and Canon's two. Each
# has a small JPEG within, that readers find; others are TIFFs, told by their tags.
RAW = (
    (b"FUJIFILMCCD-RAW", 0),
    *((b"IIRO", 0), (b"IIRS", 0), (b"MMOR", 0), (b"IIU\0", 0), (b"FOVb", 0), (b"\0MRM", 0)),
    *((b"CR\2", 8), (b"ftypcrx ", 4)),
)
JXL_SIGNATURES = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
# What films begin with, so that they need not be opened to be told from pictures.
FILMS = (
    *((b"\x1aE\xdf\xa3", 0), (b"OggS", 0), (b"FLV", 0), (b"YUV4MPEG2", 0), (b"AVI ", 8), (b"ftyp", 4)),
    (b"\0\0\1\xba", 0),
)


def is_picture_name(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def is_hidden(inside: Path) -> bool:
    """Whether a path from a folder of pictures on is hidden, as what macOS and thumbnailers leave beside them is."""
    return any(part.startswith(".") for part in inside.parts)


def is_still(path: Path) -> bool:
    """Whether the file holds one picture; one that is named as a picture and holds nothing readable counts too."""
    if not path.is_file() or path.suffix.lower() in STREAMS:
        return False
    try:
        if is_raw(path):
            return True
        if _is_film(path):
            return False
        with open_picture(path) as image:
            return not (image.format in ANIMATED and pictures_in(image) > 1)
    except MissingError:
        return True
    except MediaError:
        return _is_still_to_others(path)


def open_picture(path: Path) -> Any:
    """The file opened by Pillow, its pixels not decoded yet.

    Raises ``MediaError`` for what it does not read, ``MissingError`` naming the extra for HEIC and JPEG XL.
    """
    from PIL import Image, PngImagePlugin

    # The caller weighs the size against the memory there is, so Pillow's own limit is of no use.
    Image.MAX_IMAGE_PIXELS = None
    # Of one text or colour profile it would take 1 MiB, which programs' own notes exceed; of all together 64.
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
    formats = [*READERS, *_plugins(path)]
    try:
        with minding_damage(), tags_unheard():
            return Image.open(path, formats=formats)
    except Exception as error:  # damaged headers make Pillow's readers raise nearly anything
        raise MediaError(f"{path} is not a picture that can be read: {error}") from error


@contextlib.contextmanager
def tags_unheard() -> Iterator[None]:
    """Without Pillow's warnings of damaged tags: those that are lost are named in their own place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def pictures_in(image: Any) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # as above: a damaged directory of pictures, at which Pillow then stands
        with contextlib.suppress(Exception):
            image.seek(0)
        return 1


def is_heic(path: Path) -> bool:
    head = _head(path)
    return head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS and b"avif" not in head


def is_avif(path: Path) -> bool:
    head = _head(path)
    return head[4:8] == b"ftyp" and (head[8:12] == b"avif" or (head[8:12] in HEIC_BRANDS and b"avif" in head))


def is_raw(path: Path) -> bool:
    """Whether a camera stored it undeveloped; of TIFFs only Canon's say so at their beginning."""
    head = _head(path)
    return any(head.startswith(sign, place) for sign, place in RAW)


def _plugins(path: Path) -> list[str]:
    """Readers that come as packages of their own, loaded only for the files that need them."""
    if is_heic(path):
        require("pillow_heif", "reading this HEIC picture").register_heif_opener()
        return ["HEIF"]
    if _head(path).startswith(JXL_SIGNATURES):
        require("pillow_jxl", "reading JPEG XL pictures")
        return ["JXL"]
    return []


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror}") from error


def _is_film(path: Path) -> bool:
    head = _head(path)
    if any(head.startswith(sign, place) for sign, place in FILMS):
        return not (is_heic(path) or is_avif(path))
    return False


def _is_still_to_others(path: Path) -> bool:
    """Of what Pillow does not read: whether FFmpeg takes it for a picture, or its name says that it should be one."""
    import av

    try:
        if is_avif(path) or is_psd(path):
            return True
        # A playlist under a picture's name must lead nowhere.
        options = opening_options(str(path), "file")
        with av.open(str(path), options=options, metadata_errors="replace") as container:
            name = container.format.name
    except MediaError:
        return False
    except (av.error.FFmpegError, OSError, ValueError):
        return is_picture_name(path)
    return name.endswith("_pipe") or (name == "image2" and is_picture_name(path))
