"""The library's door: what a caller gives an ``Upscaler`` is what its name says, or an ``OptionError`` tells."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from edge_sr.backends.base import Maps, PartTimes, Result, Runner, cropped
from edge_sr.bundle import Bundle
from edge_sr.errors import OptionError
from edge_sr.plan import Plan
from edge_sr.sizes import Size, whole
from edge_sr.tensors import Frame, checked_frame
from edge_sr.yuv import YuvFrame

MOST_THREADS = 1024


@dataclasses.dataclass(frozen=True, eq=False)
class Encoded:
    """A frame and its modulation maps, to decode at many sizes.

    A frame whose maps would not fit in memory is kept alone, and encoded again block by block. ``times``: what
    encoding took; ``weights``: SHA-256 of the checkpoint whose network made the maps.
    """

    frame: Frame
    maps: Maps | None
    times: PartTimes = dataclasses.field(default_factory=PartTimes)
    weights: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", checked_frame(self.frame))
        if self.maps is not None:
            require_maps(self.maps, self.frame.shape[:2])

    @staticmethod
    def of(source: Frame | Encoded, bundle: Bundle) -> Encoded:
        """What a caller gave to enlarge; ``OptionError`` for maps of another network than the bundle's."""
        encoded = source if isinstance(source, Encoded) else Encoded(source, None)
        if encoded.weights not in ("", bundle.description.source.sha256):
            raise OptionError(f"the maps are of another network than {bundle.name}: encode the frame with it")
        return encoded

    @property
    def size(self) -> Size:
        """``(width, height)``."""
        return self.frame.shape[1], self.frame.shape[0]


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


def checked_row(frames: Iterable[Frame | YuvFrame]) -> Iterator[Frame | YuvFrame]:
    """What a caller gave as frames, each of which is looked at in its turn."""
    try:
        return iter(frames)
    except TypeError as error:
        raise OptionError(f"frames is a row of frames, such as a list, found {frames!r}") from error


def require_maps(maps: object, size: tuple[int, ...]) -> None:
    """``maps``: an array or device memory, ``1 x C x h x w``, of a frame of ``(h, w)``.

    With ``init_q`` they are padded by one, ``1 x C x (h+2) x (w+2)``. A network of one graph gives its picture in
    their place: ``1 x sh x sw x 3``, by its whole scale ``s``.
    """
    if hasattr(maps, "maps_address"):
        return
    shape = maps.shape if isinstance(maps, np.ndarray) else ()
    padded = (size[0] + 2, size[1] + 2)
    if len(shape) != 4 or 0 in shape or not (shape[2:] in (size, padded) or _is_enlarged(shape, size)):
        found = f"{type(maps).__name__} {shape or ''}".strip()
        raise OptionError(f"maps are those that encode gave with this frame, found {found}")


def _is_enlarged(shape: tuple[int, ...], size: tuple[int, ...]) -> bool:
    scale = shape[1] // size[0]
    return shape == (1, scale * size[0], scale * size[1], 3)


def decoded(runner: Runner, encoded: Encoded, plan: Plan) -> Result:
    """The plan's part of a frame from its maps, and what that took."""
    image = cropped(encoded.frame, whole(encoded.size))
    began = time.perf_counter()
    frame = runner.decode(encoded.maps, image, plan.grid)[0]
    return Result(frame, PartTimes(decoder_ms=1000 * (time.perf_counter() - began)))
