"""``Upscaler``: frames in, frames of any real-valued size out."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np

from edge_sr.backends.autotune import choose
from edge_sr.backends.base import FlightRunner, Maps, Runner
from edge_sr.backends.registry import Backend
from edge_sr.bundle import DEFAULT_MODEL, Bundle, open_bundle
from edge_sr.errors import EdgeSRError
from edge_sr.grid import Box, output_region, output_size, parse_scale, sampling_grid, whole
from edge_sr.machine.description import available_cores
from edge_sr.plan import Block, output_box, plan_blocks
from edge_sr.tensors import Frame, checked_frame, io_of

T = TypeVar("T")
Size = tuple[int, int]
Region = tuple[int, int, int, int]


@dataclasses.dataclass
class Timings:
    """Milliseconds that the last frame took in the encoder and in the decoder.

    Of a frame from ``stream`` on a GPU, they are the device's own, without waiting and without copies.
    """

    encoder_ms: float = 0.0
    decoder_ms: float = 0.0


@dataclasses.dataclass(frozen=True)
class Encoded:
    """A frame and its modulation maps, to decode at many sizes.

    A frame whose maps would not fit in memory is kept alone, and encoded again block by block.
    """

    frame: Frame
    maps: Maps | None

    @property
    def size(self) -> Size:
        """``(width, height)``."""
        return self.frame.shape[1], self.frame.shape[0]


class Upscaler:
    """An open model on one backend.

    ``model`` is a shipped model's name or a bundle's folder; ``backend`` and ``precision`` may be ``auto``, and
    ``why`` says in a line how they were chosen.
    ``threads`` defaults to the cores that the process may use. Serves one frame at a time. Raises
    ``UnknownNameError``, ``BundleError``, ``OptionError`` or ``MissingError`` when it cannot be opened so.
    """

    def __init__(
        self,
        model: str | Path | Bundle = DEFAULT_MODEL,
        *,
        backend: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.bundle = model if isinstance(model, Bundle) else open_bundle(model)
        self.threads = threads or available_cores()
        choice = choose(self.bundle, backend, precision, self.threads)
        self._chosen: Backend = choice.backend
        self.precision, self.placement, self.why = choice.precision, choice.placement, choice.why
        self.timings = Timings()
        self._runners: dict[str, Runner] = {}
        # Opened here, so that what is missing shows before the first frame.
        self._runner("uint8")

    @property
    def model(self) -> str:
        return self.bundle.name

    @property
    def backend(self) -> str:
        """The decoder's backend."""
        return self._runner("uint8").backend

    @property
    def encoder_backend(self) -> str:
        return self._runner("uint8").encoder_backend

    @property
    def device_bytes(self) -> int | None:
        """Memory that is taken on the GPU now; ``None`` without one."""
        flights = [runner for runner in self._runners.values() if isinstance(runner, FlightRunner)]
        # Each measures what the whole process took since it was opened.
        return max((runner.device_bytes for runner in flights), default=None)

    @property
    def radius(self) -> int:
        """LR pixels around an output's nearest LR pixel that can change it."""
        return self.bundle.description.radius

    def __call__(
        self,
        frame: Frame,
        *,
        scale: float | str | None = None,
        size: Size | None = None,
        height: int | None = None,
        region: Region | None = None,
    ) -> Frame:
        """Upscale ``frame``, ``h x w x 3`` RGB, uint8 or float32 in [0, 1]; the result has its dtype.

        Exactly one of ``scale``, ``size`` = ``(width, height)`` and ``height`` says the size of the whole output.
        ``region`` = ``(x, y, width, height)`` in input pixels asks for that part of it alone. Raises ``OptionError``
        for sizes and regions that do not fit, ``ShapeError`` for a frame of another layout.
        """
        encoded = Encoded(checked_frame(frame), None)
        return self.decode(encoded, scale=scale, size=size, height=height, region=region)

    def stream(self, frames: Iterable[Frame], *, size: Size, region: Region | None = None) -> Iterator[Frame]:
        """Every frame as calling the upscaler gives it, in order; a GPU has several under way meanwhile.

        It then takes up to three frames before it gives the first, and what is taken is given when ``frames``
        ends; when ``frames`` raises, or the iterator is closed, it is dropped. ``timings`` are the last given
        frame's. Until the end nothing else may be asked of the upscaler. Frames may change size and dtype.
        """
        alike = itertools.groupby(map(checked_frame, frames), lambda frame: (frame.shape, io_of(frame)))
        for (shape, io), group in alike:
            runner = self._runner(io)
            if isinstance(runner, FlightRunner):
                yield from self._in_flight(runner, group, (shape[1], shape[0]), size, region)
            else:
                yield from (self(frame, size=size, region=region) for frame in group)

    def _in_flight(
        self, runner: FlightRunner, frames: Iterable[Frame], before: Size, size: Size, region: Region | None
    ) -> Iterator[Frame]:
        after = output_size(*before, scale=None, size=size, target_height=None)
        box = whole(after) if region is None else output_region(region, before, after)
        grid = sampling_grid(before, after, box, self._halo)
        for result in runner.frames((frame[None] for frame in frames), grid):
            self.timings = Timings(runner.times.encoder_ms, runner.times.decoder_ms)
            yield result[0]

    def encode(self, frame: Frame) -> Encoded:
        """The frame's maps, for ``decode`` to use as often as wanted."""
        frame = checked_frame(frame)
        self.timings = Timings()
        blocks = self._blocks(Encoded(frame, None), whole((frame.shape[1], frame.shape[0])))
        maps = self._encode_block(frame, blocks[0]) if len(blocks) == 1 else None
        return Encoded(frame, maps)

    def decode(
        self,
        encoded: Encoded,
        *,
        scale: float | str | None = None,
        size: Size | None = None,
        height: int | None = None,
        region: Region | None = None,
    ) -> Frame:
        """As calling the upscaler, from maps that are there already."""
        before = encoded.size
        exact = None if scale is None else parse_scale(scale)
        after = output_size(*before, scale=exact, size=size, target_height=height)
        box = whole(after) if region is None else output_region(region, before, after)
        self.timings = Timings()
        result = np.empty((box.height, box.width, 3), encoded.frame.dtype)
        for block in self._blocks(encoded, _sources(box, before, after)):
            part = output_box(block.core, box, before, after)
            if part.width > 0 and part.height > 0:
                target = result[part.y0 - box.y0 : part.y1 - box.y0, part.x0 - box.x0 : part.x1 - box.x0]
                target[:] = self._decode_block(encoded, block, part, after)
        return result

    def close(self) -> None:
        """Free every session, thread and device memory."""
        while self._runners:
            self._runners.popitem()[1].close()

    def __enter__(self) -> Upscaler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except EdgeSRError:
            # That a lost device cannot be closed either is no news, and would hide what happened.
            if error is None:
                raise

    def _runner(self, io: str) -> Runner:
        if io not in self._runners:
            precision = self.placement or self.precision
            self._runners[io] = self._chosen.open(self.bundle, precision, io, self.threads)
        return self._runners[io]

    def _blocks(self, encoded: Encoded, area: Box) -> list[Block]:
        if encoded.maps is not None:
            everything = whole(encoded.size)
            return [Block(area, everything)]
        if getattr(self._runner(io_of(encoded.frame)), "whole_frames", False):
            return [Block(area, whole(encoded.size))]
        # An output pixel in the halo may lie over the next LR pixel.
        margin = self.radius + self._halo
        return plan_blocks(area, encoded.size, margin, self.bundle.description.working_bytes)

    @property
    def _halo(self) -> int:
        return self.bundle.description.halo

    def _encode_block(self, frame: Frame, block: Block) -> Maps:
        runner = self._runner(io_of(frame))
        return self._timed("encoder_ms", lambda: runner.encode(_crop(frame, block.padded)))

    def _decode_block(self, encoded: Encoded, block: Block, part: Box, after: Size) -> Frame:
        maps = encoded.maps if encoded.maps is not None else self._encode_block(encoded.frame, block)
        runner = self._runner(io_of(encoded.frame))
        grid = sampling_grid(encoded.size, after, part, self._halo).shifted(block.padded.y0, block.padded.x0)
        image = _crop(encoded.frame, block.padded)
        frame: Frame = self._timed("decoder_ms", lambda: runner.decode(maps, image, grid))[0]
        return frame

    def _timed(self, part: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = work()
        setattr(self.timings, part, getattr(self.timings, part) + 1000 * (time.perf_counter() - start))
        return result


def _crop(frame: Frame, box: Box) -> Frame:
    return np.ascontiguousarray(frame[box.y0 : box.y1, box.x0 : box.x1])[None]


def _sources(box: Box, before: Size, after: Size) -> Box:
    """The LR pixels nearest to the outputs of ``box``."""
    grid = sampling_grid(before, after, box)
    return Box(int(grid.cols[0]), int(grid.rows[0]), int(grid.cols[-1]) + 1, int(grid.rows[-1]) + 1)
