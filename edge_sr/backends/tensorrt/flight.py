"""Frames of one size on their way through the device, as many at a time as there is memory for."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from edge_sr.backends.base import PartTimes
from edge_sr.backends.tensorrt.device import Lanes
from edge_sr.engines.store.identity import Shape
from edge_sr.errors import ShapeError

FRAMES_IN_FLIGHT = 3

Submit = Callable[[int, NDArray[Any]], None]


class Flight:
    """``submit`` puts a picture into a lane and on its way; ``times`` are those of the frame that landed last."""

    times = PartTimes()

    def __init__(self, lanes: Lanes, image: Shape, submit: Submit) -> None:
        self._lanes, self._image, self._submit = lanes, image, submit
        count = lanes.open(FRAMES_IN_FLIGHT)
        if count < FRAMES_IN_FLIGHT:
            say_short(f"{count} instead of {FRAMES_IN_FLIGHT} frames at a time")
        self._idle, self._airborne = deque(range(count)), deque[int]()

    def start(self, picture: NDArray[Any]) -> NDArray[Any] | None:
        """Send a picture on its way; the frame that had to land for it, if all lanes were taken."""
        require_alike(self._image, picture.shape)
        landed = None if self._idle else self.land()
        lane = self._idle.popleft()
        self._submit(lane, picture)
        self._airborne.append(lane)
        return landed

    def land(self) -> NDArray[Any] | None:
        """The earliest frame that is still in flight, or ``None``."""
        if not self._airborne:
            return None
        lane = self._airborne.popleft()
        frame = self._lanes.collect(lane)
        self.times = self._lanes.times(lane)
        self._idle.append(lane)
        return frame


def say_short(consequence: str) -> None:
    warnings.warn(f"the GPU is short of memory: {consequence}", stacklevel=2)


def require_alike(first: Shape, found: Shape) -> None:
    if found != first:
        raise ShapeError(f"frames in flight must all be {first}, found {found}: start anew for another size")
