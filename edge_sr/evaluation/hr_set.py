"""The high-resolution pictures an evaluation starts from: a folder of them, one file, or a film's frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from edge_sr.errors import InputNotFoundError, MediaError, OptionError
from edge_sr.video.hr_references import HrReference, film_references, read_reference, still_references
from edge_sr.video.image.read import read_info
from edge_sr.video.image.recognise import is_still


@dataclasses.dataclass(frozen=True)
class HrSet:
    """A set to go through any number of times; each time it is read anew, one picture in memory.

    ``signal``: the name of an HDR film's transfer, in whose signal its frames are; else empty.
    """

    name: str
    path: Path
    pictures: tuple[Path, ...]
    frames: tuple[int, ...] = ()
    signal: str = ""

    def __iter__(self) -> Iterator[HrReference]:
        if self.frames:
            return film_references(self.path, self.frames.__contains__, keep_hdr=True)
        return map(_read, self.pictures)


def find_references(path: Path, frames: int) -> HrSet:
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
        return HrSet(name, path, tuple(still_references(path, recursive=False)))
    if is_still(path):
        return HrSet(name, path, (path,))
    count, signal = _look_into(path)
    return HrSet(name, path, (), _spread(count, frames), signal)


def _read(path: Path) -> HrReference:
    if read_info(path).deep:
        raise MediaError(f"{path} has more than 8 bits, and the protocol is for 8: convert it first")
    return read_reference(path)


def _spread(total: int, wanted: int) -> tuple[int, ...]:
    count = min(total, wanted)
    return tuple((2 * i + 1) * total // (2 * count) for i in range(count))


def _look_into(path: Path) -> tuple[int, str]:
    """How many frames a film has, and the name of its transfer where it is HDR."""
    from edge_sr.video.film.film import Film
    from edge_sr.video.frames.colour import HDR_TRANSFERS

    with Film(str(path)) as film:
        colour = film.info.colour
        signal = HDR_TRANSFERS[colour.transfer] if colour.is_hdr else ""
        return sum(1 for _ in film.frames()), signal
