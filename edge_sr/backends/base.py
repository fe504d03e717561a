"""What every backend offers: an open pair of graphs for one bundle, precision and sample type."""

from __future__ import annotations

import abc
import dataclasses
import functools
import operator
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edge_sr.bundle import Bundle, Graph
from edge_sr.errors import BundleError, InterruptedRun, LifetimeError, OptionError
from edge_sr.grid import SamplingGrid
from edge_sr.kinds import Precision, Role, SampleType, Scheme, StoredPrecision
from edge_sr.plan import Plan, Step
from edge_sr.sizes import Box
from edge_sr.tensors import Frame, Image
from edge_sr.yuv import YuvFrame

if TYPE_CHECKING:
    from typing_extensions import Self

Maps = Any
"""Modulation maps in the runner's own keeping: an array on the CPU, device memory elsewhere."""
Stop: TypeAlias = threading.Event | None
"""What ends a frame's work once it is set."""


@dataclasses.dataclass(frozen=True)
class RunnerConfig:
    """What a backend opens: ``bundle`` in one precision, for pictures of one sample type, on so many threads.

    ``scheme``: which of the bundle's INT8 graphs, with ``int8`` alone.
    """

    bundle: Bundle
    precision: Precision
    sample_type: SampleType = "uint8"
    threads: int = 1
    scheme: Scheme | None = None

    @property
    def stored(self) -> StoredPrecision:
        """How the bundle files the graphs: bfloat16 is computed from those in float32."""
        return self.scheme or ("fp32" if self.precision == "bf16" else self.precision)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pictures."""
        return np.dtype(np.uint8 if self.sample_type == "uint8" else np.float32)

    def find(self, role: Role) -> Graph | None:
        """The bundle's graph of that role, or None."""
        return self.bundle.find(role, self.stored, self.sample_type)

    def require(self, role: Role) -> Graph:
        """As ``find``; ``BundleError`` when there is none."""
        graph = self.find(role)
        if graph is None:
            raise BundleError(f"bundle {self.bundle.name} has no {self.sample_type} {role} in {self.stored}")
        return graph

    def file(self, role: Role) -> Path:
        """That graph's file, its hash checked; ``BundleError`` when it is absent or damaged."""
        return self.bundle.graph(role, self.stored, self.sample_type)


@dataclasses.dataclass(frozen=True)
class PartTimes:
    """Milliseconds that one frame took in each part: on a GPU the device's own, else the host's.

    Parts of different frames overlap on a GPU, so their sum is no frame time. Only a GPU of its own memory uploads
    and downloads.
    """

    upload_ms: float = 0.0
    encoder_ms: float = 0.0
    decoder_ms: float = 0.0
    download_ms: float = 0.0

    def __add__(self, other: PartTimes) -> PartTimes:
        return PartTimes(*map(operator.add, dataclasses.astuple(self), dataclasses.astuple(other)))


# Arrays have no one answer to whether they are equal.
@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """One frame, ``H x W x 3``, and what it took; of a YUV frame its codes, ``3H/2 x W``."""

    frame: Frame
    times: PartTimes


class Runner(Protocol):
    """An open pair of encoder and decoder.

    ``backend`` is the decoder's, ``encoder_backend`` the encoder's. ``whole_frames``: it takes frames of any size
    whole, so that plans for it have one step. ``spare_columns`` and ``least_columns``: see ``Footprint``. One thread at
    a time may use a runner, and nothing else may be asked of it until a stream has ended or was closed. The conformance
    tests hold every backend to the same results.
    """

    backend: str
    encoder_backend: str
    precision: Precision

    @property
    def whole_frames(self) -> bool: ...

    @property
    def spare_columns(self) -> int: ...

    @property
    def least_columns(self) -> int: ...

    @property
    def device_bytes(self) -> int | None:
        """GPU memory that is taken now, engines included; ``None`` where there is no GPU."""

    def stream(self, frames: Iterable[Frame], plan: Plan) -> Iterator[Result]:
        """Every frame, ``h x w x 3`` of the plan's input size, upscaled in order.

        A GPU takes up to three before it gives the first; a CPU gives each before it takes the next.
        """

    def encode(self, image: Image) -> Maps:
        """Maps of a picture of the sample type that the pair was opened for; they stay valid until ``close``."""

    def decode(self, maps: Maps, image: Image, grid: SamplingGrid) -> Image:
        """``1 x Ht x Wt x 3`` at the grid's positions, whose rows and columns index ``maps`` and ``image``.

        The dtype is the image's. In mode 4 the grid carries one more position on each side.
        """

    def close(self) -> None:
        """Free sessions, threads and device memory; the runner is of no use afterwards."""


class Encoder(Protocol):
    """``encode`` turns ``1 x h x w x 3`` into maps, ``1 x C x h x w``."""

    backend: str

    def encode(self, image: Image) -> NDArray[Any]:
        """The maps, valid for as long as they are referred to."""


@runtime_checkable
class YuvStreams(Protocol):
    """A runner that makes RGB of video's codes, and codes of RGB, where it computes."""

    def stream_yuv(self, frames: Iterable[YuvFrame], plan: Plan) -> Iterator[Result]:
        """As ``Runner.stream``, all in the first one's colours; what a result holds are codes, as a YUV frame's own."""


@runtime_checkable
class SurfaceStreams(YuvStreams, Protocol):
    """One whose codes may be surfaces on its GPU, those it takes and those it gives, as each frame says."""

    takes_surfaces: bool


@runtime_checkable
class DeviceNetwork(Encoder, Protocol):
    """A network from picture to picture on a device, which cuts pictures for it by itself."""

    @property
    def device_bytes(self) -> int:
        """GPU memory that is taken now, engines included."""

    def stream(self, frames: Iterable[Frame]) -> Iterator[Result]:
        """As ``encode``, in order, with the next ones under way meanwhile; all of one shape, else ``ShapeError``."""

    def close(self) -> None:
        """Free device memory."""


class Closable(abc.ABC):
    """A context manager over ``close``; two would close the same, so copying or pickling one is a ``LifetimeError``."""

    @abc.abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise LifetimeError(
            f"{type(self).__name__} cannot be copied or pickled: open another where it is needed"
        )


class OpenRunner(Closable):
    """What runners derive from."""

    spare_columns: int = 0
    least_columns: int = 1


class CpuRunner(OpenRunner):
    """Frames one after another, each step by step of its plan: what runners on the CPU derive from."""

    whole_frames: bool = False
    device_bytes: int | None = None

    @abc.abstractmethod
    def encode(self, image: Image) -> Maps: ...

    @abc.abstractmethod
    def decode(self, maps: Maps, image: Image, grid: SamplingGrid) -> Image: ...

    def stream(self, frames: Iterable[Frame], plan: Plan) -> Iterator[Result]:
        """As ``Runner.stream``; nothing is taken ahead."""
        return (_assembled(frame, plan, functools.partial(self._made, frame)) for frame in frames)

    def _made(self, frame: Frame, step: Step) -> Result:
        image = cropped(frame, step.source)
        began = time.perf_counter()
        maps = self.encode(image)
        encoded = time.perf_counter()
        part = self.decode(maps, image, step.grid)[0]
        decoded = time.perf_counter()
        return Result(
            part, PartTimes(encoder_ms=1000 * (encoded - began), decoder_ms=1000 * (decoded - encoded))
        )


def one_frame(runner: Runner, frame: Frame, plan: Plan, stop: Stop) -> Result:
    """One frame by ``runner``; ``stop`` ends it between two steps of its plan, with ``InterruptedRun``."""

    def made(part: Plan) -> Result:
        (result,) = runner.stream([frame], part)
        return result

    if stop is None or len(plan.steps) == 1:
        return made(plan)
    return _assembled(frame, plan, lambda step: made(dataclasses.replace(plan, steps=(step,))), stop)


def _assembled(frame: Frame, plan: Plan, made: Callable[[Step], Result], stop: Stop = None) -> Result:
    """The frame of what is ``made`` of each step."""
    if len(plan.steps) == 1:
        return made(plan.steps[0])
    pixels, times = np.empty((plan.box.height, plan.box.width, 3), frame.dtype), PartTimes()
    for step in plan.steps:
        if stop is not None and stop.is_set():
            raise InterruptedRun("stopped in the middle of a picture: nothing of it was written")
        part = made(step)
        pixels[step.place.slices] = part.frame
        times += part.times
    return Result(pixels, times)


def yuv_stream(runner: Runner) -> Callable[[Iterable[YuvFrame], Plan], Iterator[Result]]:
    """The stream of such a runner; ``OptionError`` for any other."""
    if not isinstance(runner, YuvStreams):
        raise OptionError(f"backend {runner.backend} takes no YUV frames, only RGB: convert them first")
    return runner.stream_yuv


def cropped(frame: Frame, box: Box) -> Image:
    """That part of a frame as ``1 x h x w x 3``, contiguous."""
    return np.ascontiguousarray(frame[box.slices])[None]
