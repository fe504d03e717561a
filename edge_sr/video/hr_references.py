"""HR references: pictures that are taken to be perfect, to measure against and to calibrate from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import InputNotFoundError, MediaError
from edge_sr.tensors import Frame
from edge_sr.video.film.film import Film
from edge_sr.video.film.info import FilmInfo
from edge_sr.video.film.upright import UprightReader, shown_orientation
from edge_sr.video.image.read import read_still
from edge_sr.video.image.recognise import is_hidden, is_still
from edge_sr.video.image.still import eight_bits

if TYPE_CHECKING:
    import av


class HrReference(NamedTuple):
    """A picture or a film's frame, RGB ``H x W x 3`` in levels of 0 to 255, and what to call it.

    uint8; of an HDR film its signal in float32, fractions of a level kept.
    """

    name: str
    pixels: NDArray[Any]


def still_references(folder: Path, *, recursive: bool) -> list[Path]:
    """The folder's pictures in order, none hidden, with ``recursive`` those below; ``InputNotFoundError`` if none."""
    files = folder.rglob("*") if recursive else folder.iterdir()
    seen = (path for path in files if path.is_file() and not is_hidden(path.relative_to(folder)))
    found = sorted(path for path in seen if is_still(path))
    if not found:
        raise InputNotFoundError(f"expected pictures in {folder}, found none")
    return found


def read_reference(path: Path) -> HrReference:
    """A picture, upright, in 8 bits; ``MediaError`` for one that is damaged: it would measure as noise."""
    still = read_still(path)
    if still.damage:
        raise MediaError(f"{path} is {still.damage}: give a picture that is whole")
    return HrReference(path.name, eight_bits(still.pixels))


def film_references(
    path: Path, wanted: Callable[[int], bool], *, keep_hdr: bool = False
) -> Iterator[HrReference]:
    """The film's frames whose number is ``wanted``, upright, each in its own size and colours, one in memory at a time.

    In 8 bits, but with ``keep_hdr`` those of an HDR film. Raises ``MediaError`` in the end for a film that is damaged.
    """
    with Film(str(path)) as film:
        for frame in film.frames():
            if wanted(frame.index):
                upright = _upright(film.info, frame.frame)
                deep = keep_hdr and film.info.colour.is_hdr
                pixels = upright * np.float32(255) if deep else eight_bits(upright)
                yield HrReference(f"{path.name} frame {frame.index}", pixels)
        damage = film.warnings[0] if film.warnings else f"{film.bad_frames} frames are corrupt"
        if film.warnings or film.bad_frames:
            raise MediaError(f"{path} is no film to take references from: {damage}; give one that is whole")


def _upright(info: FilmInfo, frame: av.VideoFrame) -> Frame:
    """Of a reference every pixel counts: none is scaled to the size or the shape of the film's first frame."""
    size = shown_orientation(info, frame).displayed(frame.width, frame.height)
    read = UprightReader(dataclasses.replace(info, size=size, coded_aspect=None), None)
    # Only who names YUV's colours is given any.
    return cast(Frame, read(frame))
