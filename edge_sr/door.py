"""The library's door: what a caller gives an ``Upscaler`` is what its name says, or an ``OptionError`` tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from edge_sr.bundle import Bundle
from edge_sr.errors import OptionError
from edge_sr.tensors import Frame

MOST_THREADS = 1024


def require_types(model: object, backend: object, precision: object) -> None:
    if not isinstance(model, (str, Path, Bundle)):
        raise OptionError(f"model is a name, a folder or an open bundle, found {model!r}")
    for name, value in (("backend", backend), ("precision", precision)):
        if not isinstance(value, str):
            raise OptionError(f"{name} is a name such as 'auto', found {value!r}")


def require_flags(**flags: object) -> None:
    for name, value in flags.items():
        if not isinstance(value, (bool, np.bool_)):
            raise OptionError(f"{name} is True or False, found {value!r}")


def checked_threads(threads: object) -> int:
    if not isinstance(threads, int) or isinstance(threads, bool) or not 1 <= threads <= MOST_THREADS:
        raise OptionError(f"threads is a whole number from 1 to {MOST_THREADS}, found {threads!r}")
    return threads


def checked_row(frames: Iterable[Frame]) -> Iterator[Frame]:
    """What a caller gave as frames, each of which is looked at in its turn."""
    try:
        return iter(frames)
    except TypeError as error:
        raise OptionError(f"frames is a row of frames, such as a list, found {frames!r}") from error


def require_maps(maps: object, size: tuple[int, ...]) -> None:
    """``maps``: an array or device memory, ``1 x C x h x w``, of a frame of ``(h, w)``.

    A network of one graph gives its picture in their place: ``1 x sh x sw x 3``, by its whole scale ``s``.
    """
    if hasattr(maps, "maps_address"):
        return
    shape = maps.shape if isinstance(maps, np.ndarray) else ()
    if len(shape) != 4 or 0 in shape or not (shape[2:] == size or _is_enlarged(shape, size)):
        found = f"{type(maps).__name__} {shape or ''}".strip()
        raise OptionError(f"maps are those that encode gave with this frame, found {found}")


def _is_enlarged(shape: tuple[int, ...], size: tuple[int, ...]) -> bool:
    scale = shape[1] // size[0]
    return shape == (1, scale * size[0], scale * size[1], 3)
