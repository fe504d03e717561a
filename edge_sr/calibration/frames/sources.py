"""Originals to calibrate from: folders of pictures, single pictures, films."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import InputNotFoundError, MediaError
from edge_sr.video.film.film import Film
from edge_sr.video.image.pictures import is_picture_name, read_still
from edge_sr.video.pixels import ToRgb

# About as many frames of one film are looked at, by the length that its header gives.
FILM_FRAMES = 128


class Original(NamedTuple):
    """A picture or a film's frame, uint8 RGB ``H x W x 3``, and what to call it."""

    name: str
    pixels: NDArray[np.uint8]


def read_originals(paths: Iterable[Path]) -> Iterator[Original]:
    """All originals, one after the other.

    Raises ``InputNotFoundError`` for a path that is not there or a folder without pictures, ``MediaError``
    for a picture or film that is damaged: its frames would calibrate to noise.
    """
    for path in paths:
        if path.is_dir():
            yield from map(_picture, _pictures(path))
        elif not path.exists():
            raise InputNotFoundError(
                f"expected pictures or a film to calibrate from, found nothing at {path}"
            )
        elif is_picture_name(path):
            yield _picture(path)
        else:
            yield from _film(path)


def _pictures(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.is_file() and is_picture_name(path))
    if not found:
        raise InputNotFoundError(f"expected pictures to calibrate from in {folder}, found none")
    return found


def _picture(path: Path) -> Original:
    return Original(path.name, _levels(read_still(path).pixels))


def _film(path: Path) -> Iterator[Original]:
    """Frames spread evenly over the film, one in memory at a time."""
    with Film(str(path)) as film:
        to_rgb = ToRgb(film.info.colour, film.info.layout)
        step = max(1, film.info.frames // FILM_FRAMES)
        for frame in film.frames():
            if frame.index % step == 0:
                upright = film.info.orientation.apply(to_rgb(frame.frame))
                yield Original(f"{path.name} frame {frame.index}", _levels(upright))
        damage = film.warnings[0] if film.warnings else f"{film.bad_frames} frames are corrupt"
        if film.warnings or film.bad_frames:
            raise MediaError(f"{path} is no film to calibrate from: {damage}; give one that is whole")


def _levels(pixels: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels, np.uint8)
    levels: NDArray[np.uint8] = np.clip(np.floor(pixels * 255 + 0.5), 0, 255).astype(np.uint8)
    return levels
