"""Frames of one size on their way through the device, as many at a time as there is memory for."""

from __future__ import annotations

from collections import deque
from typing import Any

from numpy.typing import NDArray

from edge_sr.errors import ShapeError
from edge_sr.runtime.runner import PartTimes
from edge_sr.runtime.tensorrt_engine import Execution
from edge_sr.runtime.tensorrt_memory import DeviceMaps
from edge_sr.runtime.tensorrt_session import Session


class Flight:
    """``times`` are those of the frame that landed last. One pair of maps serves all: the encoder waits its turn."""

    times = PartTimes()

    def __init__(
        self, session: Session, lanes: int, image: tuple[int, ...], encoder: Execution, maps: DeviceMaps
    ) -> None:
        self._session, self._image, self._encoder, self._maps = session, image, encoder, maps
        self._idle, self._airborne = deque(range(lanes)), deque[int]()

    def start(self, picture: NDArray[Any]) -> NDArray[Any] | None:
        """Send a picture on its way; the frame that had to land for it, if all lanes were taken."""
        if picture.shape != self._image:
            raise ShapeError(
                f"frames in flight must all be {self._image}, found {picture.shape}: start anew for another size"
            )
        landed = None if self._idle else self.land()
        lane = self._idle.popleft()
        self._session.submit(lane, picture, self._encoder, self._maps)
        self._airborne.append(lane)
        return landed

    def land(self) -> NDArray[Any] | None:
        """The earliest frame that is still in flight, or ``None``."""
        if not self._airborne:
            return None
        lane = self._airborne.popleft()
        frame = self._session.collect(lane)
        self.times = self._session.times(lane)
        self._idle.append(lane)
        return frame
