"""What every backend offers: a pair of graphs for one bundle, precision and kind of frame."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from edge_sr.grid import SamplingGrid

Maps = Any
"""Modulation maps in the runner's own keeping: an array on the CPU, device memory elsewhere."""


class Runner(Protocol):
    """An open pair of encoder and decoder.

    ``backend`` is the decoder's, ``encoder_backend`` the encoder's. A runner serves one frame at a time; what
    ``encode`` returns stays valid until ``close``. The conformance tests hold every backend to the same results.
    """

    backend: str
    encoder_backend: str
    precision: str

    def encode(self, image: NDArray[Any]) -> Maps:
        """Maps of ``1 x h x w x 3``, uint8 or float32 in [0, 1] as the pair was opened for."""

    def decode(self, maps: Maps, image: NDArray[Any], grid: SamplingGrid) -> NDArray[Any]:
        """``1 x Ht x Wt x 3`` at the grid's positions, whose rows and columns index ``maps`` and ``image``.

        The dtype is the image's. In mode 4 the grid carries one more position on each side.
        """

    def close(self) -> None:
        """Free sessions, threads and device memory; the runner is of no use afterwards."""


@dataclasses.dataclass(frozen=True)
class PartTimes:
    """Milliseconds of device time that one frame took in each part.

    Parts of different frames overlap, so their sum is no frame time. An integrated GPU uploads nothing.
    """

    upload_ms: float = 0.0
    encoder_ms: float = 0.0
    decoder_ms: float = 0.0
    download_ms: float = 0.0

    def __add__(self, other: PartTimes) -> PartTimes:
        return PartTimes(*map(operator.add, dataclasses.astuple(self), dataclasses.astuple(other)))


@runtime_checkable
class FlightRunner(Runner, Protocol):
    """A runner that takes whole frames, and the next ones while earlier ones are still under way."""

    @property
    def times(self) -> PartTimes:
        """Of the frame that ``frames`` gave last."""

    @property
    def device_bytes(self) -> int:
        """Device memory that is taken now, engines included."""

    def frames(self, images: Iterable[NDArray[Any]], grid: SamplingGrid) -> Iterator[NDArray[Any]]:
        """Every image, all of one shape, encoded and decoded, in order; the runner does nothing else meanwhile."""


class Encoder(Protocol):
    """``encode`` turns ``1 x h x w x 3`` into maps, ``1 x C x h x w``."""

    backend: str

    def encode(self, image: NDArray[Any]) -> NDArray[Any]:
        """The maps, valid for as long as they are referred to."""


@runtime_checkable
class DeviceNetwork(Encoder, Protocol):
    """A network from picture to picture on a device, which cuts pictures for it by itself.

    ``times`` are those of the picture that ``stream`` gave last; ``device_bytes`` the device memory taken now.
    """

    @property
    def times(self) -> PartTimes: ...

    @property
    def device_bytes(self) -> int: ...

    def stream(self, images: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """As ``encode``, in order, with the next ones under way meanwhile; all of one shape, else ``ShapeError``."""

    def close(self) -> None:
        """Free device memory."""


class ClosingRunner:
    """A context manager over ``close``, for runners to derive from."""

    def close(self) -> None:
        raise TypeError(f"{type(self).__name__} must say how it closes")

    def __enter__(self) -> ClosingRunner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
