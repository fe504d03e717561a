"""Finding and reading the pictures that a network learns from."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import ConfigError, InputNotFoundError, MediaError
from edge_sr.resample import resize
from edge_sr.video.hr_references import read_reference
from edge_sr.video.image.recognise import is_hidden, is_picture_name

VALIDATION = "validation"

Pixels = NDArray[np.uint8]
Warn = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A file, the factor that it is shrunk by before use, and whether it is kept apart for validation."""

    path: Path
    shrink: float = 1.0
    validation: bool = False


def find_pictures(folders: list[Path], listing: str) -> list[Picture]:
    """Every picture under ``folders`` that is not hidden, in a fixed order.

    With ``listing``, the rows of that tab-separated file in each folder: path, factor, and for some the word
    ``validation``. Raises
    ``InputNotFoundError`` for a folder or a listing that is not there and when nothing is found.
    """
    found = [picture for folder in folders for picture in _in_folder(folder, listing)]
    if not found:
        raise InputNotFoundError(
            f"expected pictures, found none in {', '.join(map(str, folders))}: name another folder"
        )
    return found


def _in_folder(folder: Path, listing: str) -> list[Picture]:
    if not folder.is_dir():
        raise InputNotFoundError(f"no such folder of pictures: {folder}")
    if listing:
        return list(_listed(folder / listing))
    named = (path for path in sorted(folder.rglob("*")) if is_picture_name(path))
    return [Picture(path) for path in named if not is_hidden(path.relative_to(folder))]


def _listed(listing: Path) -> Iterator[Picture]:
    if not listing.is_file():
        raise InputNotFoundError(
            f"the spec names a listing that is not there: {listing}; to take every picture of the folder, set "
            'listing = "" under [training.data] in a copy of the spec'
        )
    for number, line in enumerate(listing.read_text(encoding="utf-8-sig").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield _row(listing, number, line)


def _row(listing: Path, number: int, line: str) -> Picture:
    name, *rest = line.split("\t")
    try:
        shrink = float(rest[0])
    except (ValueError, IndexError):
        shrink = 0.0
    if not name or not 1 <= shrink < math.inf or rest[1:] not in ([], [VALIDATION]):
        raise ConfigError(
            f"{listing}:{number}: expected a path, a tab and a factor from 1, then nothing or a tab and "
            f"{VALIDATION}, found {line!r}"
        )
    return Picture(listing.parent / name, shrink, bool(rest[1:]))


def read_picture(picture: Picture) -> Pixels:
    """One picture as uint8 RGB, upright, shrunk.

    Raises ``MediaError`` naming the file where it is damaged, ``MissingError`` where a package is needed to read it.
    """
    return shrunk(read_reference(picture.path).pixels, picture.shrink)


def read_for_crops(picture: Picture, side: int) -> Pixels:
    """As ``read_picture``; raises ``MediaError`` too for a picture that gives no crop of ``side`` pixels."""
    pixels = read_picture(picture)
    if min(pixels.shape[:2]) < side:
        raise MediaError(f"{picture.path}: smaller than a crop of {side} pixels")
    return pixels


def shrunk(pixels: Pixels, factor: float) -> Pixels:
    """``pixels`` with sides ``factor`` times smaller, rounded down, by antialiased Lanczos."""
    if factor == 1:
        return pixels
    height, width = (max(1, int(side / factor)) for side in pixels.shape[:2])
    return resize(pixels, (width, height), "lanczos3")
