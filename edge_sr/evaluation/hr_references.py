"""The high-resolution pictures an evaluation starts from: a folder of them, one file, or a film's frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import InputNotFoundError, MediaError, OptionError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"})


class Original(NamedTuple):
    """A picture with the name it goes by: uint8 RGB, ``H x W x 3``."""

    name: str
    pixels: NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Originals:
    """A set to go through any number of times; each time it is read anew, one picture in memory."""

    name: str
    path: Path
    pictures: tuple[Path, ...]
    frames: tuple[int, ...] = ()

    def __iter__(self) -> Iterator[Original]:
        return _film_frames(self.path, self.frames) if self.frames else map(read_picture, self.pictures)


def find_originals(path: Path, frames: int) -> Originals:
    """The set at ``path``; of a film, ``frames`` of them spread evenly.

    Raises ``InputNotFoundError`` when there is nothing there or no picture in the folder, ``MediaError`` for
    a film that cannot be read, ``OptionError`` for fewer frames than one.
    """
    if frames < 1:
        raise OptionError(f"--frames must be at least 1, found {frames}")
    if not path.exists():
        raise InputNotFoundError(f"expected a folder of pictures or a film for --hr, found nothing at {path}")
    name = path.resolve().name
    if path.is_dir():
        return Originals(name, path, tuple(_pictures(path)))
    if path.suffix.lower() in SUFFIXES:
        return Originals(name, path, (path,))
    return Originals(name, path, (), _spread(_count_frames(path), frames))


def read_picture(path: Path) -> Original:
    """A picture file, upright, as RGB; ``MediaError`` when it cannot be read or holds more than 8 bits."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            if image.mode in ("I", "F") or image.mode.startswith("I;16"):
                raise MediaError(f"{path} has more than 8 bits, and the protocol is for 8: convert it first")
            upright = ImageOps.exif_transpose(image)
            return Original(path.name, np.asarray(upright.convert("RGB"), np.uint8))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, MediaError):
            raise
        raise MediaError(f"{path} cannot be read as a picture: {error}") from error


def _pictures(folder: Path) -> Iterable[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InputNotFoundError(f"expected pictures ({', '.join(sorted(SUFFIXES))}) in {folder}, found none")
    return found


def _spread(total: int, wanted: int) -> tuple[int, ...]:
    count = min(total, wanted)
    return tuple((2 * i + 1) * total // (2 * count) for i in range(count))


def _count_frames(path: Path) -> int:
    from edge_sr.video.film.film import Film

    with Film(str(path)) as film:
        return sum(1 for _ in film.frames())


def _film_frames(path: Path, wanted: tuple[int, ...]) -> Iterator[Original]:
    from edge_sr.video.film.film import Film
    from edge_sr.video.pixels import ToRgb

    with Film(str(path)) as film:
        to_rgb = ToRgb(film.info.colour, film.info.layout)
        for frame in film.frames():
            if frame.index in wanted:
                upright = film.info.orientation.apply(to_rgb(frame.frame))
                yield Original(f"{path.name} frame {frame.index}", eight_bits(upright))


def eight_bits(pixels: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.uint8]:
    """Levels of 8 bits, from float32 in [0, 1] by rounding half up."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels, np.uint8)
    levels: NDArray[np.uint8] = np.clip(np.floor(pixels * 255 + 0.5), 0, 255).astype(np.uint8)
    return levels
