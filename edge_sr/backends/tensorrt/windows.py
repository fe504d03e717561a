"""Pictures that are larger than an engine was built for: cut into windows of one shape, exactly.

A window reaches beyond the part that it is for, its core, by all that the network reads there, or to the
picture's border. Cores neither overlap nor leave anything out, so the picture has no seams.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from edge_sr.backends.base import PartTimes, Result
from edge_sr.engines.store.identity import EngineKey, Shape, ShapeRange
from edge_sr.tensors import Frame

# A window's side in reaches of the network, at least: with less, most of the work would be done twice.
LEAST_REACHES = 4


@dataclasses.dataclass(frozen=True)
class Span:
    """One axis of a window: it starts at ``start``, its core goes from ``low`` to ``high``; input pixels."""

    start: int
    low: int
    high: int


Place = tuple[Span, Span]
"""A window's rows and columns."""


def spans(length: int, window: int, reach: int) -> Iterator[Span]:
    """The windows along an axis of ``length`` pixels; ``window`` is all of it, or more than twice ``reach``."""
    start = low = 0
    while start + window < length:
        high = start + window - reach
        yield Span(start, low, high)
        start, low = min(high - reach, length - window), high
    yield Span(start, low, length)


def places(image: Shape, window: Shape, reach: int) -> list[Place]:
    """Every window over a picture, row by row; both shapes are ``1 x h x w x 3``."""
    rows, cols = (list(spans(image[axis], window[axis], reach)) for axis in (1, 2))
    return [(row, col) for row in rows for col in cols]


def window_of(key: EngineKey, image: Shape, reach: int | None) -> Shape | None:
    """What the engine is to be given of the picture: all of it, else the largest window, else ``None``.

    ``reach``: input pixels that the network reads to either side, ``None`` where it takes whole pictures alone.
    """
    found = (_window(profile["image"], image, reach) for profile in key.profiles)
    return max((window for window in found if window), key=pixels, default=None)


def _window(built: ShapeRange, image: Shape, reach: int | None) -> Shape | None:
    sides = [_side(built, image, axis, reach) for axis in (1, 2)]
    return (1, *sides, 3) if all(sides) else None


def _side(built: ShapeRange, image: Shape, axis: int, reach: int | None) -> int:
    """Pixels of the window along an axis, 0 where the profile has none that will do."""
    least, length, most = built.minimum[axis], image[axis], built.maximum[axis]
    if least <= length <= most:
        return length
    return most if reach is not None and length > most >= LEAST_REACHES * reach else 0


def smaller(window: Shape, reach: int | None) -> Shape | None:
    """The window with its longer side halved, ``None`` where that is no window any more."""
    _, height, width, _ = window
    side = max(height, width) // 2
    if reach is None or side < max(1, LEAST_REACHES * reach):
        return None
    return (1, side, width, 3) if height >= width else (1, height, side, 3)


def pixels(shape: Shape) -> int:
    return shape[1] * shape[2]


class Mosaic:
    """The result of one picture, ``scale`` times as large, put together from its windows' results; its times are
    what all of them took."""

    def __init__(self, frame: Frame, cut: Iterable[Place], scale: int) -> None:
        height, width, _ = frame.shape
        self._scale, self._missing = scale, deque(cut)
        self.result = Result(np.empty((scale * height, scale * width, 3), frame.dtype), PartTimes())

    def lay(self, piece: Result) -> bool:
        """The next window's result, in the order of the cut; whether the picture is whole now."""
        row, col = self._missing.popleft()
        frame = self.result.frame
        if piece.frame.shape == frame.shape:
            frame = piece.frame
        else:
            core = piece.frame[self._scaled(row, row.start), self._scaled(col, col.start)]
            frame[self._scaled(row, 0), self._scaled(col, 0)] = core
        self.result = Result(frame, self.result.times + piece.times)
        return not self._missing

    def _scaled(self, span: Span, origin: int) -> slice:
        """A core's pixels of the result, counted from input pixel ``origin``."""
        return slice(self._scale * (span.low - origin), self._scale * (span.high - origin))
