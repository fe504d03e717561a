"""Where a pixel goes: source -> RGB -> network -> YUV -> encoder, three stages that overlap.

    decode   film.frames()   a packet decoded, turned upright, converted to RGB(A)     (thread)
    network  network.stream  encoder graph, decoder graph; a GPU has frames under way  (the caller's thread)
    encode   writer.write()  converted to the output's YUV, encoded into a segment       (thread)

Where the network takes YUV, as on a GPU, frames of 4:2:0 stay that in both threads, and are RGB on the device alone.
What the GPU itself decodes or encodes need not leave its memory: the threads then pass on where it lies.

Between them lie relays of a few frames, so memory does not grow with the film and a slow stage holds the
others back. A still picture takes the same way without the threads.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, Protocol

from edge_sr.sizes import Box, Size
from edge_sr.tensors import Frame
from edge_sr.upscale.layers import Layers
from edge_sr.upscale.relay import Aborted, Relay, raise_first, stage
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.medians import PartMedians
from edge_sr.upscale.run.pace import Pace
from edge_sr.upscale.surfaces import keep_on_gpu, stays_on_gpu
from edge_sr.upscaler import PartTimes, Result
from edge_sr.video.film.film import Film
from edge_sr.video.film.info import FilmInfo
from edge_sr.video.film.upright import UprightReader, yuv_colours
from edge_sr.video.frames.headroom import Headroom
from edge_sr.video.frames.pixels import FromRgb
from edge_sr.video.timed import Timed
from edge_sr.yuv import YuvFrame

# Frames that wait between two stages.
WAITING = 2
# No film has so many frames.
END = sys.maxsize

log = logging.getLogger(__name__)


class FrameNetwork(Protocol):
    """What the pipeline asks of an ``Upscaler``: HWC uint8 or float32 in, the same type out."""

    @property
    def takes_yuv(self) -> bool:
        """Whether it takes YUV frames too, and gives codes for them."""

    @property
    def takes_surfaces(self) -> bool:
        """Whether it takes and gives those on its GPU."""

    def stream(self, frames: Iterable[Frame | YuvFrame], *, size: Size, box: Box | None) -> Iterator[Result]:
        """A result for every frame, in order; some frames may be taken before the first is given."""


class FrameSource(Protocol):
    """What the pipeline asks of a ``Film``."""

    @property
    def info(self) -> FilmInfo: ...

    def frames(self) -> Iterator[Timed[Any]]:
        """Decoded frames, in order."""


class FrameWriter(Protocol):
    """Where frames end: a film's segments, or a pipe."""

    def write(self, timed: Timed[Any]) -> None:
        """Takes the frames in order."""


@dataclasses.dataclass(frozen=True)
class Target:
    """What to compute: that ``box`` of the picture enlarged to ``size``, or all of it."""

    size: Size
    box: Box | None = None

    @property
    def written(self) -> Size:
        """``(width, height)`` of the result."""
        return self.size if self.box is None else (self.box.width, self.box.height)


@dataclasses.dataclass
class Flow:
    """What a run has done so far: frames ``taken`` through the network, what they and the ``latest`` took there, and
    how many ``frames`` of them are encoded; ``fps``: its pace, without the time that the process was stopped."""

    times: PartMedians = dataclasses.field(default_factory=PartMedians)
    latest: PartTimes = dataclasses.field(default_factory=PartTimes)
    taken: int = 0
    frames: int = 0
    seconds: float = 0.0
    fps: float = 0.0
    exhausted: bool = False
    interrupted: bool = False


def run_film(
    film: FrameSource,
    network: FrameNetwork,
    writer: FrameWriter,
    to_yuv: Callable[[Frame], Any],
    target: Target,
    *,
    first: int = 0,
    last: int | None = None,
    stop: threading.Event,
    after_frame: Callable[[Flow], None],
    flow: Flow | None = None,
) -> Flow:
    """Upscales the film's frames from number ``first`` on, up to ``last`` if that is given, which is left out.

    The last segment is left for the caller to close. Ends early once ``stop`` is set, with the frames that the network
    has taken by then. Whatever goes wrong in a stage is raised here, when the other stages have ended; how far it came
    until then says ``flow``.
    """
    decoded: Relay[Timed[Frame | YuvFrame]] = Relay(WAITING)
    upscaled: Relay[Timed[Frame]] = Relay(WAITING)
    flow, wanted = flow or Flow(), range(first, END if last is None else last)
    headroom = _headroom(to_yuv, target)
    read = _reader(film.info, network, to_yuv, target, headroom)
    began, pace = time.perf_counter(), Pace()
    stages = [
        stage("decode", lambda: _decode(film, read, wanted, decoded, stop, flow), decoded, upscaled),
        stage("encode", lambda: _encode(upscaled, to_yuv, headroom, writer, flow), decoded, upscaled),
    ]
    try:
        with closing(_upscaled(decoded, target, network, stop, flow)) as results:
            for result in results:
                upscaled.put(result.holding(result.frame.frame))
                flow.times.add(result.frame.times)
                flow.latest, flow.taken = result.frame.times, flow.taken + 1
                flow.seconds, flow.fps = time.perf_counter() - began, pace.at(flow.taken)
                after_frame(flow)
        upscaled.close()
    except Aborted:
        pass
    except BaseException:
        upscaled.abort()
        raise
    finally:
        decoded.abort()
        for thread in stages:
            thread.join()
    raise_first(decoded, upscaled)
    flow.interrupted = flow.interrupted or not flow.exhausted
    flow.seconds = time.perf_counter() - began
    log.debug("%s", _pace(decoded, upscaled, flow.seconds))
    return flow


def run_whole_film(
    film: Film,
    network: FrameNetwork,
    writer: FrameWriter,
    to_yuv: Callable[[Frame], Any],
    target: Target,
    controls: Controls,
    flow: Flow | None = None,
) -> Flow:
    """As ``run_film``, all of it, told to the watcher; what the GPU decodes stays there where network and writer
    take it."""
    watcher = controls.watcher
    keep_on_gpu(film, network, to_yuv)
    watcher.begin(film.info.frames, 0)

    def after_frame(flow: Flow) -> None:
        watcher.frame(flow.taken, flow.fps)

    try:
        return run_film(
            film, network, writer, to_yuv, target, stop=controls.stop, after_frame=after_frame, flow=flow
        )
    finally:
        watcher.end()


def _reader(
    info: FilmInfo,
    network: FrameNetwork,
    to_yuv: Callable[[Frame], Any],
    target: Target,
    headroom: Headroom | None,
) -> Callable[[Timed[Any]], Frame | YuvFrame]:
    """Decoded frames to what the network takes; what it has no place for goes into ``headroom``."""
    yuv = yuv_colours(info, to_yuv) if network.takes_yuv else None
    to_surface = yuv is not None and stays_on_gpu(network, to_yuv)
    upright = UprightReader(info, target.size if target.box is None else None, yuv, to_surface=to_surface)

    def read(timed: Timed[Any]) -> Frame | YuvFrame:
        frame = upright(timed.frame)
        if headroom is not None and isinstance(frame, YuvFrame):
            headroom.lose(timed.frame)
        elif headroom is not None:
            headroom.keep(timed.index, upright.luma_beyond(timed.frame, headroom.depth))
        return frame

    return read


def _headroom(to_yuv: Callable[[Frame], Any], target: Target) -> Headroom | None:
    """For luma beyond black and white, where frames become YUV of limited range."""
    if not isinstance(to_yuv, FromRgb) or to_yuv.colour.full_range:
        return None
    return Headroom(target.size, target.box, to_yuv.layout.depth)


def _pace(decoded: Relay[Any], upscaled: Relay[Any], seconds: float) -> str:
    """How much of the time each stage was at work, not waiting for its neighbours, and which sets the pace."""
    waited = {
        "decoding": decoded.waited_for_room,
        "the network": decoded.waited_for_items + upscaled.waited_for_room,
        "encoding": upscaled.waited_for_items,
    }
    shares = {stage: 1 - wait / seconds for stage, wait in waited.items()}
    each = ", ".join(f"{stage} {share:.0%}" for stage, share in shares.items())
    return f"at work in {seconds:.1f} s: {each}; {max(shares, key=lambda stage: shares[stage])} sets the pace"


def _upscaled(
    decoded: Iterable[Timed[Frame | YuvFrame]],
    target: Target,
    network: FrameNetwork,
    stop: threading.Event,
    flow: Flow,
) -> Generator[Timed[Result], None, None]:
    """Every frame's result, until ``stop`` is set."""
    taken: deque[Timed[Layers]] = deque()

    def pixels() -> Iterator[Frame | YuvFrame]:
        for timed in decoded:
            if stop.is_set():
                flow.interrupted = True
                return
            taken.append(timed.holding(Layers.of(timed.frame)))
            yield from taken[-1].frame

    results = iter(network.stream(pixels(), size=target.size, box=target.box))
    for colours in results:
        timed = taken.popleft()
        yield timed.holding(timed.frame.joined(colours, results))


def _decode(
    film: FrameSource,
    read: Callable[[Timed[Any]], Frame | YuvFrame],
    wanted: range,
    decoded: Relay[Timed[Frame | YuvFrame]],
    stop: threading.Event,
    flow: Flow,
) -> None:
    for timed in film.frames():
        if stop.is_set():
            break
        if timed.index in wanted:
            decoded.put(timed.holding(read(timed)))
        if timed.index >= wanted.stop - 1:
            flow.exhausted = True
            break
    else:
        # A pipe ends where the run is stopped.
        flow.exhausted = not stop.is_set()
    decoded.close()


def _encode(
    upscaled: Relay[Timed[Frame]],
    to_yuv: Callable[[Frame], Any],
    headroom: Headroom | None,
    writer: FrameWriter,
    flow: Flow,
) -> None:
    for timed in upscaled:
        made = to_yuv(timed.frame)
        if headroom is not None:
            headroom.restore(timed.index, made)
        writer.write(timed.holding(made))
        flow.frames += 1
