"""Tags of a TIFF's first picture that say what its samples mean, and the layouts that are refused by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_sr.errors import MediaError

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, PLANAR, TILE_WIDTH = 256, 257, 258, 259, 262, 284, 322
SAMPLES_PER_PIXEL, GREY = 277, (0, 1)
EXTRA_SAMPLES, SAMPLE_FORMAT = 338, 339
# What tag 338 says of a channel beside the colours: nothing, or alpha that they are multiplied by.
NOT_ALPHA, PREMULTIPLIED = 0, 1
# What tag 339 says of samples that are not whole numbers from 0 on; 4 is "undefined", which writers of those use too.
SAMPLE_FORMATS = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
# Compressions that neither Pillow, as it is built, nor FFmpeg reads.
NOT_READ = {
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34933: "PNG",
    50001: "WebP",
    50002: "JPEG XL",
}


def read_tags(path: Path) -> Any:
    """The tags of a classic TIFF as Pillow decodes them, whether or not it reads the pixels; empty for another file.

    Raises ``MediaError`` where they are damaged.
    """
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    with path.open("rb") as file:
        head = file.read(8)
        if head[:4] == b"MM\0+":
            raise MediaError(f"{path} is a big-endian BigTIFF, which is not read: save it as a classic TIFF")
        if head[:4] not in (b"II*\0", b"MM\0*"):
            return {}
        try:
            directory: Any = ImageFileDirectory_v2(head)
            file.seek(directory.next)
            directory.load(file)
            return dict(directory)
        except Exception as error:  # a damaged directory makes Pillow raise nearly anything
            raise MediaError(f"{path} is a damaged TIFF, whose tags cannot be read") from error


def refuse_samples(path: Path, tags: Any) -> None:
    """``MediaError`` for samples that would be misread as whole numbers from 0 on."""
    for kind in tags.get(SAMPLE_FORMAT, ()):
        if kind in SAMPLE_FORMATS:
            raise MediaError(
                f"{path} is a TIFF of {SAMPLE_FORMATS[kind]} samples, expected unsigned ones of 8 or 16 bits: "
                "convert it first"
            )


def refuse_layout(path: Path, tags: Any) -> None:
    """``MediaError`` for a TIFF that Pillow does not read and FFmpeg would misread or not read either."""
    refuse_compression(path, tags)
    bits, tiled = tags.get(BITS, (1,)), TILE_WIDTH in tags
    if tiled or set(bits) - {1, 8, 16}:
        layout = f"{'+'.join(map(str, bits))} bits{' in tiles' if tiled else ''}"
        raise MediaError(
            f"{path} is a TIFF of {layout}, which is not read, expected 8 or 16: convert it first"
        )
    if tags.get(PHOTOMETRIC) in GREY and tags.get(SAMPLES_PER_PIXEL, 1) > 2:
        raise MediaError(
            f"{path} is a grey TIFF of {tags[SAMPLES_PER_PIXEL]} channels, expected grey and alpha at most: "
            "convert it first"
        )


def refuse_compression(path: Path, tags: Any) -> None:
    """``MediaError`` for a compression that nobody here reads, asked for where the pixels do not decode."""
    name = NOT_READ.get(tags.get(COMPRESSION, 1))
    if name is not None:
        raise MediaError(
            f"{path} is a TIFF compressed as {name}, which is not read here: save it with LZW or Deflate"
        )


def refuse_misread(path: Path, tags: Any) -> None:
    """``MediaError`` for an uncompressed TIFF in YCbCr where Pillow is older than 13, which makes RGB of its bytes."""
    from PIL import __version__

    misread = int(__version__.partition(".")[0]) < 13
    if misread and (tags.get(PHOTOMETRIC), tags.get(COMPRESSION)) == (6, 1):
        raise MediaError(
            f"{path} is an uncompressed TIFF in YCbCr, which Pillow {__version__} misreads: "
            "convert it first, or use Python 3.11 or newer"
        )
