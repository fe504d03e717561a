"""Tags of a TIFF's first picture that say what its samples mean, and the layouts that are refused by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_sr.errors import MediaError

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, PLANAR, TILE_WIDTH = 256, 257, 258, 259, 262, 284, 322
SAMPLES_PER_PIXEL, GREY, WHITE_IS_ZERO, RGB, CMYK = 277, (0, 1), 0, 2, 5
EXTRA_SAMPLES, SAMPLE_FORMAT = 338, 339
LISTS = {BITS, EXTRA_SAMPLES, SAMPLE_FORMAT}
NUMBERS = {WIDTH, HEIGHT, COMPRESSION, PHOTOMETRIC, PLANAR, SAMPLES_PER_PIXEL} | LISTS
BIG_TIFF = b"II+\0"
# What tag 338 says of a channel beside the colours: nothing, alpha that they are multiplied by, or other alpha.
NOT_ALPHA, PREMULTIPLIED, STRAIGHT = 0, 1, 2
# What tag 339 says of samples that are not whole numbers from 0 on; 4 is "undefined", which writers of those use too.
SAMPLE_FORMATS = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
# FFmpeg's most channels, of others and of CMYK; compressions that Pillow alone reads.
MOST_CHANNELS, MOST_OF_CMYK = 4, 5
OF_PILLOW = {34925: "LZMA", 50000: "Zstandard"}
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
    """The tags of a TIFF as Pillow decodes them, whether or not it reads the pixels; empty for another file.

    Raises ``MediaError`` where they are damaged, and for a big-endian BigTIFF.
    """
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    with path.open("rb") as file:
        head = file.read(16)
        if head[:4] == b"MM\0+":
            raise MediaError(f"{path} is a big-endian BigTIFF, which is not read: save it as a classic TIFF")
        if head[:4] not in (b"II*\0", b"MM\0*", BIG_TIFF):
            return {}
        try:
            directory: Any = ImageFileDirectory_v2(head if head[:4] == BIG_TIFF else head[:8])
            file.seek(directory.next)
            directory.load(file)
            tags = dict(directory)
            if not _are_numbers(tags):
                raise ValueError("a number is none")
            return tags
        except Exception as error:  # a damaged directory makes Pillow raise nearly anything
            raise MediaError(f"{path} is a damaged TIFF, whose tags cannot be read") from error


def _are_numbers(tags: dict[int, Any]) -> bool:
    found = (tags[tag] if tag in LISTS else (tags[tag],) for tag in NUMBERS & tags.keys())
    return all(isinstance(number, int) for numbers in found for number in numbers)


def refuse_big(path: Path) -> None:
    """``MediaError`` for a BigTIFF that Pillow does not read, which FFmpeg does not read either."""
    with path.open("rb") as file:
        if file.read(4) == BIG_TIFF:
            raise MediaError(f"{path} is a BigTIFF of a layout that is not read: save it as a classic TIFF")


def refuse_samples(path: Path, tags: Any) -> None:
    """``MediaError`` for samples that would be misread as whole numbers from 0 on."""
    for kind in tags.get(SAMPLE_FORMAT, ()):
        if kind in SAMPLE_FORMATS:
            raise MediaError(
                f"{path} is a TIFF of {SAMPLE_FORMATS[kind]} samples, expected unsigned ones of 8 or 16 bits: "
                "convert it first"
            )


def refuse_planes(path: Path, tags: Any) -> None:
    """``MediaError`` for channels in planes of which Pillow reads the first alone, or FFmpeg makes other colours."""
    channels, kind = tags.get(SAMPLES_PER_PIXEL, 1), tags.get(PHOTOMETRIC)
    of_ffmpeg = kind == CMYK and max(tags.get(BITS, (1,))) > 8
    if tags.get(PLANAR, 1) != 1 and channels > 1 and (kind in GREY or channels > MOST_CHANNELS or of_ffmpeg):
        name = "grey" if kind in GREY else "CMYK" if kind == CMYK else "colour"
        raise MediaError(
            f"{path} is a {name} TIFF of {channels} channels in planes, which is not read: save it interleaved"
        )


def refuse_layout(path: Path, tags: Any) -> None:
    """``MediaError`` for a TIFF that Pillow does not read and FFmpeg would misread or not read either."""
    refuse_compression(path, tags)
    if tags.get(COMPRESSION) in OF_PILLOW:
        raise MediaError(
            f"{path} is a TIFF compressed as {OF_PILLOW[tags[COMPRESSION]]}, which is not read in this layout: "
            "save it with LZW or Deflate"
        )
    refuse_planes(path, tags)
    bits, tiled, channels = tags.get(BITS, (1,)), TILE_WIDTH in tags, tags.get(SAMPLES_PER_PIXEL, 1)
    if tiled or set(bits) - {1, 8, 16}:
        layout = f"{'+'.join(map(str, bits))} bits{' in tiles' if tiled else ''}"
        raise MediaError(
            f"{path} is a TIFF of {layout}, which is not read, expected 8 or 16 in strips: convert it first"
        )
    if tags.get(PHOTOMETRIC) in GREY and channels > 2:
        raise MediaError(
            f"{path} is a grey TIFF of {channels} channels, expected grey and alpha at most: convert it first"
        )
    most = MOST_OF_CMYK if tags.get(PHOTOMETRIC) == CMYK and max(bits) == 8 else MOST_CHANNELS
    if channels > most:
        raise MediaError(
            f"{path} is a TIFF of {channels} channels of {max(bits)} bits, expected {most} at most: convert it first"
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
