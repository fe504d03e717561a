"""What to calibrate from: folders of pictures, single pictures, films."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from edge_sr.errors import InputNotFoundError
from edge_sr.video.film.film import Film
from edge_sr.video.hr_references import HrReference, film_references, read_reference, still_references
from edge_sr.video.image.recognise import is_still

# About as many frames of one film are looked at, by the length that its header gives.
FILM_FRAMES = 128


def read_references(paths: Iterable[Path]) -> Iterator[HrReference]:
    """All references, one after the other, of folders those in sub-folders too.

    Raises ``InputNotFoundError`` for a path that is not there or a folder without pictures, ``MediaError``
    for a picture or film that is damaged.
    """
    for path in paths:
        if path.is_dir():
            yield from map(read_reference, still_references(path, recursive=True))
        elif not path.exists():
            raise InputNotFoundError(
                f"expected pictures or a film to calibrate from, found nothing at {path}"
            )
        elif is_still(path):
            yield read_reference(path)
        else:
            yield from film_references(path, _spread(path).__contains__)


def _spread(path: Path) -> range:
    """Numbers of frames spread evenly over the film."""
    with Film(str(path)) as film:
        return range(0, 1 << 62, max(1, film.info.frames // FILM_FRAMES))
