"""Where a pixel goes: source -> RGB -> network -> YUV -> encoder, three stages that overlap.

    decode   film.frames()   a packet decoded, turned upright, converted to RGB        (thread)
    network  network.stream  encoder graph, decoder graph; a GPU has frames under way  (the caller's thread)
    encode   writer.write()  converted to the output's YUV, encoded into a piece       (thread)

Between them lie relays of a few frames, so memory does not grow with the film and a slow stage holds the
others back. A still picture takes the same way without the threads.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, Generic, Protocol, TypeVar

from numpy.typing import NDArray

from edge_sr.grid import Box
from edge_sr.video.encode.pieces import TimedFrame
from edge_sr.video.encode.segments import SegmentWriter
from edge_sr.video.film.film import Film, FilmFrame
from edge_sr.video.pixels import Converter, FromRgb, ToRgb

# Frames that wait between two stages.
WAITING = 2

Item = TypeVar("Item")


class Network(Protocol):
    """What the pipeline asks of an ``Upscaler``: HWC uint8 or float32 in, the same type out."""

    def __call__(
        self, frame: NDArray[Any], *, size: tuple[int, int], region: tuple[int, int, int, int] | None
    ) -> NDArray[Any]: ...

    def stream(
        self,
        frames: Iterable[NDArray[Any]],
        *,
        size: tuple[int, int],
        region: tuple[int, int, int, int] | None,
    ) -> Iterator[NDArray[Any]]:
        """A result for every frame, in order; some frames may be taken before the first is given."""


@dataclasses.dataclass(frozen=True)
class Target:
    """What to compute: the ``region`` (input pixels) of a picture of ``size``; the ``crop`` of it is kept."""

    size: tuple[int, int]
    region: tuple[int, int, int, int] | None = None
    crop: Box | None = None

    def upscale(self, network: Network, picture: NDArray[Any]) -> NDArray[Any]:
        return self._kept(network(picture, size=self.size, region=self.region))

    def stream(
        self, network: Network, pictures: Iterable[NDArray[Any]]
    ) -> Generator[NDArray[Any], None, None]:
        """As ``upscale``, for picture after picture."""
        for result in network.stream(pictures, size=self.size, region=self.region):
            yield self._kept(result)

    def _kept(self, result: NDArray[Any]) -> NDArray[Any]:
        if self.crop is None:
            return result
        return result[self.crop.y0 : self.crop.y1, self.crop.x0 : self.crop.x1]


@dataclasses.dataclass(frozen=True)
class Picture:
    """RGB pixels with their place and time in the film."""

    index: int
    pts: int
    duration: int
    pixels: NDArray[Any]


@dataclasses.dataclass
class Flow:
    """What a run has done so far: frames ``taken`` through the network, and ``frames`` of them encoded."""

    taken: int = 0
    frames: int = 0
    seconds: float = 0.0
    exhausted: bool = False
    interrupted: bool = False


def run_film(
    film: Film,
    network: Network,
    writer: SegmentWriter,
    to_yuv: FromRgb,
    target: Target,
    *,
    first: int,
    stop: threading.Event,
    after_frame: Callable[[Flow], None],
) -> Flow:
    """Upscales the film's frames from number ``first`` on; the last piece is left for the caller to close.

    Ends early once ``stop`` is set, with the frames that the network has taken by then. Whatever goes wrong in a
    stage is raised here, when the other stages have ended.
    """
    decoded: Relay[Picture] = Relay(WAITING)
    upscaled: Relay[Picture] = Relay(WAITING)
    flow = Flow()
    began = time.perf_counter()
    stages = [
        _stage("decode", lambda: _decode(film, target, first, decoded, stop, flow), decoded, upscaled),
        _stage("encode", lambda: _encode(upscaled, to_yuv, writer, flow), decoded, upscaled),
    ]
    try:
        with closing(_larger(decoded, target, network, stop, flow)) as pictures:
            for picture in pictures:
                upscaled.put(picture)
                flow.taken += 1
                flow.seconds = time.perf_counter() - began
                after_frame(flow)
        upscaled.close()
    except Aborted:
        pass
    except BaseException:
        upscaled.abort()
        raise
    finally:
        decoded.abort()
        for stage in stages:
            stage.join()
    _raise_first(decoded, upscaled)
    flow.interrupted = flow.interrupted or not flow.exhausted
    flow.seconds = time.perf_counter() - began
    return flow


def _larger(
    decoded: Iterable[Picture], target: Target, network: Network, stop: threading.Event, flow: Flow
) -> Generator[Picture, None, None]:
    """Every picture with the network's pixels, until ``stop`` is set."""
    taken: deque[Picture] = deque()

    def pixels() -> Iterator[NDArray[Any]]:
        for picture in decoded:
            if stop.is_set():
                flow.interrupted = True
                return
            taken.append(picture)
            yield picture.pixels

    for result in target.stream(network, pixels()):
        yield dataclasses.replace(taken.popleft(), pixels=result)


def _decode(
    film: Film, target: Target, first: int, decoded: Relay[Picture], stop: threading.Event, flow: Flow
) -> None:
    to_rgb = _Reader(film, target)
    for frame in film.frames():
        if stop.is_set():
            break
        if frame.index >= first:
            decoded.put(Picture(frame.index, frame.pts, frame.duration, to_rgb(frame)))
    else:
        flow.exhausted = True
    decoded.close()


def _encode(upscaled: Relay[Picture], to_yuv: FromRgb, writer: SegmentWriter, flow: Flow) -> None:
    for picture in upscaled:
        writer.write(TimedFrame(picture.index, picture.pts, picture.duration, to_yuv(picture.pixels)))
        flow.frames += 1


class _Reader:
    """Frames to upright RGB; one of another format or size than the first is brought to what can be used."""

    def __init__(self, film: Film, target: Target) -> None:
        self._info = film.info
        self._target = target
        self._to_rgb = ToRgb(film.info.colour, film.info.layout)
        self._convert = Converter(film.info.colour)
        self._format: str | None = None

    def __call__(self, frame: FilmFrame) -> NDArray[Any]:
        image = frame.frame
        if self._format is None:
            self._format = image.format.name
        if image.format.name != self._format:
            image = self._convert(image, self._format)
        return self._info.orientation.apply(self._to_rgb(image, self._size(image)))

    def _size(self, image: Any) -> tuple[int, int] | None:
        """The size to scale to before the network, None for the frame's own."""
        size = (image.width, image.height)
        if size == self._info.coded_size:
            return None
        shown = self._info.orientation.displayed(*size)
        fits = shown[0] <= self._target.size[0] and shown[1] <= self._target.size[1]
        return None if fits and self._target.region is None else self._info.coded_size


class Aborted(Exception):
    """Raised in a stage when another one has failed or been stopped."""


class Relay(Generic[Item]):
    """A bounded queue between two threads that either end can close."""

    def __init__(self, size: int) -> None:
        self._items: deque[Item] = deque()
        self._size = size
        self._changed = threading.Condition()
        self._closed = False
        self._aborted = False
        self.error: BaseException | None = None

    def put(self, item: Item) -> None:
        """Waits for room; raises ``Aborted`` when nobody will take it."""
        with self._changed:
            self._changed.wait_for(lambda: self._aborted or len(self._items) < self._size)
            if self._aborted:
                raise Aborted
            self._items.append(item)
            self._changed.notify_all()

    def close(self) -> None:
        """No more will come; what is queued can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self, error: BaseException | None = None) -> None:
        """Drops what is queued and wakes both ends."""
        with self._changed:
            self._aborted = True
            self.error = self.error or error
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._closed or self._aborted)
                if self._aborted:
                    raise Aborted
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


def _stage(name: str, work: Callable[[], None], *relays: Relay[Any]) -> threading.Thread:
    """A running thread; when it fails, both relays are aborted with its error."""

    def guarded() -> None:
        try:
            work()
        except Aborted:
            pass
        except BaseException as error:
            for relay in relays:
                relay.abort(error)

    thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()
    return thread


def _raise_first(*relays: Relay[Any]) -> None:
    for relay in relays:
        if relay.error is not None:
            raise relay.error
