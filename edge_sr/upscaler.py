"""``Upscaler``: frames in, frames of any real-valued size out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from types import TracebackType

from edge_sr.backends.autotune import choose
from edge_sr.backends.base import (
    Closable,
    PartTimes,
    Result,
    Runner,
    RunnerConfig,
    Stop,
    SurfaceStreams,
    YuvStreams,
    cropped,
    one_frame,
    yuv_stream,
)
from edge_sr.bundle import DEFAULT_MODEL, Bundle, open_bundle
from edge_sr.door import Encoded, checked_row, checked_threads, decoded, require_flags, require_types
from edge_sr.errors import EdgeSRError, LifetimeError, OptionError
from edge_sr.kinds import SampleType
from edge_sr.machine.description import available_cores
from edge_sr.plan import BLOCK_BYTES, Footprint, Plan, plan_run
from edge_sr.sizes import (
    Box,
    OutputSize,
    Region,
    Size,
    checked_box,
    checked_count,
    checked_region,
    output_region,
    whole,
)
from edge_sr.tensors import Frame, checked_frame, sample_type_of
from edge_sr.tta import ensemble
from edge_sr.turn import Turn
from edge_sr.yuv import YuvFrame, checked_either, form_of

__all__ = ["Encoded", "PartTimes", "Result", "Upscaler"]


class Upscaler(Closable):
    """An open model on one backend.

    ``model`` is a shipped model's name, by default ``diinn-edge``, or a bundle's folder; ``backend`` and ``precision``
    may be ``auto``, and ``why`` says in a few words how they were chosen, after ``retune`` with the times. ``threads``
    defaults to the cores that the process may use; ``block_bytes`` is the memory that one block of a large frame may
    take on a CPU, by default 640 MiB. ``tta`` gives the mean of all eight turns and mirrorings of each frame,
    at eight times the work. ``retune`` measures again what ``auto`` chooses by.
    Raises ``UnknownNameError``, ``BundleError``, ``OptionError`` or ``MissingError`` when it cannot be opened so.

    One thread at a time may use it, whichever that is; several threads take an upscaler each. A stream has it to
    itself until it ends or is closed. ``close`` waits for what runs, and a closed one is never opened again. None is
    copied or pickled, and a process that forks does so before it opens one. Whatever breaks these rules raises
    ``LifetimeError``.
    """

    def __init__(
        self,
        model: str | Path | Bundle = DEFAULT_MODEL,
        *,
        backend: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        block_bytes: int = BLOCK_BYTES,
        tta: bool = False,
        retune: bool = False,
    ) -> None:
        require_types(model, backend, precision)
        require_flags(tta=tta, retune=retune)
        self._block_bytes = checked_count(block_bytes, "block_bytes is a whole number of bytes")
        self.bundle = model if isinstance(model, Bundle) else open_bundle(model)
        self.threads = available_cores() if threads is None else checked_threads(threads)
        choice = choose(self.bundle, backend, precision, self.threads, retune=retune)
        self._backend = choice.backend
        self.precision, self.scheme, self.why = choice.precision, choice.scheme, choice.why
        self.tta = bool(tta)
        self._runners: dict[SampleType, Runner] = {}
        self._closed = False
        self._turn = Turn()
        self._stream: object | None = None
        # Opened here, so that what is missing shows before the first frame.
        runner = self._runner("uint8")
        self.backend, self.encoder_backend = runner.backend, runner.encoder_backend

    @property
    def model(self) -> str:
        return self.bundle.name

    @property
    def device_bytes(self) -> int | None:
        """Memory that is taken on the GPU now; ``None`` without one."""
        taken = [runner.device_bytes for runner in self._runners.values()]
        # Each measures what the whole process took since it was opened.
        return max((count for count in taken if count is not None), default=None)

    @property
    def takes_yuv(self) -> bool:
        """Whether ``stream`` takes YUV frames too, which become RGB on the device alone."""
        return not self.tta and isinstance(self._runners.get("uint8"), YuvStreams)

    @property
    def takes_surfaces(self) -> bool:
        """Whether those YUV frames, and what is made of them, may be surfaces on its GPU."""
        return self.takes_yuv and isinstance(self._runners.get("uint8"), SurfaceStreams)

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
        return self.run(frame, scale=scale, size=size, height=height, region=region).frame

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
        return self.run(encoded, scale=scale, size=size, height=height, region=region).frame

    def run(
        self,
        source: Frame | Encoded,
        *,
        scale: float | str | None = None,
        size: Size | None = None,
        height: int | None = None,
        region: Region | None = None,
        stop: Stop = None,
    ) -> Result:
        """As calling it, or ``decode``, with what it took; ``stop`` ends it between two blocks: ``InterruptedRun``."""
        encoded = Encoded.of(source, self.bundle)
        whole_size = OutputSize.of(scale, size, height).from_input(encoded.size)
        box = None if region is None else output_region(region, encoded.size, whole_size)
        with self._turn.taken():
            self._begin()
            if encoded.maps is None:
                return self._enlarged(encoded.frame, whole_size, box, stop)
            runner = self._runner(sample_type_of(encoded.frame))
            return decoded(runner, encoded, self._plan(runner, encoded.size, whole_size, box))

    def encode(self, frame: Frame) -> Encoded:
        """The frame's maps, for ``decode`` to use as often as wanted; with ``tta`` the frame alone.

        What it gives has a copy of the frame: yours may change meanwhile.
        """
        alone = Encoded(checked_frame(frame).copy(), None)
        frame, size = alone.frame, alone.size
        with self._turn.taken():
            self._begin()
            if self.tta:
                return alone
            runner = self._runner(sample_type_of(frame))
            if len(self._plan(runner, size, size, None).steps) > 1:
                return alone
            began = time.perf_counter()
            maps = runner.encode(cropped(frame, whole(size)))
            times = PartTimes(encoder_ms=1000 * (time.perf_counter() - began))
            return Encoded(frame, maps, times, self.bundle.description.source.sha256)

    def stream(
        self,
        frames: Iterable[Frame | YuvFrame],
        *,
        scale: float | str | None = None,
        size: Size | None = None,
        height: int | None = None,
        region: Region | None = None,
        box: Box | None = None,
    ) -> Generator[Result, None, None]:
        """Every frame as calling the upscaler gives it, in order; a GPU has several under way meanwhile.

        It then takes up to three frames before it gives the first, and what is taken is given when ``frames``
        ends; when ``frames`` raises, or the generator is closed, it is dropped. Frames may change size and dtype,
        and where it ``takes_yuv``, be YUV frames.
        Beside ``size`` the part may be given as a ``box`` of the output instead of ``region``. Raises ``OptionError``
        at once for what is no size, region, box or row of frames, as calling the upscaler does for what does not fit
        a frame.
        """
        wanted = OutputSize.of(scale, size, height)
        region = None if region is None else checked_region(region)
        box = None if box is None else checked_box(box, wanted.size)
        if region is not None and box is not None:
            raise OptionError("region and box both say the part of the output: give one of them")
        return self._streamed(self._results(checked_row(frames), wanted, region, box))

    def _streamed(self, results: Generator[Result, None, None]) -> Generator[Result, None, None]:
        ticket = object()
        try:
            while True:
                with self._turn.taken():
                    self._begin(ticket)
                    result = next(results, None)
                if result is None:
                    return
                yield result
        finally:
            results.close()
            if self._stream is ticket:
                self._stream = None

    def close(self) -> None:
        """Free every session, thread and device memory, once nothing runs any more; closing twice is harmless.

        In a process that forked since it waits for nothing, and what the parent runs is left to that.
        """
        if self._turn.is_of_parent:
            # A thread of the parent's that had the lock at the fork never opens it here.
            self._closed = True
            return
        with self._turn.awaited():
            self._turn.began()
            self._closed, self._stream = True, None
            while self._runners:
                self._runners.popitem()[1].close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except EdgeSRError:
            # That a lost device cannot be closed either is no news, and would hide what happened.
            if error is None:
                raise

    def _begin(self, ticket: object | None = None) -> None:
        """Work of the thread that has the turn; a stream keeps its ``ticket`` between two frames."""
        self._turn.began()
        if self._closed:
            raise LifetimeError("this Upscaler was closed: open another")
        if self._stream not in (None, ticket):
            raise LifetimeError("a stream of this Upscaler is under way: finish it or close it first")
        self._stream = ticket

    def _results(
        self, frames: Iterable[Frame | YuvFrame], wanted: OutputSize, region: Region | None, box: Box | None
    ) -> Generator[Result, None, None]:
        for form, group in itertools.groupby(map(checked_either, frames), form_of):
            whole_size = wanted.from_input(form.size)
            part = box if region is None else output_region(region, form.size, whole_size)
            if self.tta:
                yield from (self._enlarged(checked_frame(frame), whole_size, part) for frame in group)
                continue
            runner = self._runner(form.sample_type)
            plan = self._plan(runner, form.size, whole_size, part)
            stream = runner.stream if form.colours is None else yuv_stream(runner)
            yield from stream(group, plan)

    def _enlarged(self, frame: Frame, whole_size: Size, box: Box | None, stop: Stop = None) -> Result:
        def one_pass(frame: Frame, whole_size: Size, box: Box | None) -> Result:
            runner = self._runner(sample_type_of(frame))
            plan = self._plan(runner, form_of(frame).size, whole_size, box)
            return one_frame(runner, frame, plan, stop)

        if self.tta:
            return ensemble(frame, whole_size, box or whole(whole_size), one_pass)
        return one_pass(frame, whole_size, box)

    def _runner(self, sample_type: SampleType) -> Runner:
        if sample_type not in self._runners:
            config = RunnerConfig(self.bundle, self.precision, sample_type, self.threads, self.scheme)
            self._runners[sample_type] = self._backend.open(config)
        return self._runners[sample_type]

    def _plan(self, runner: Runner, given: Size, wanted: Size, box: Box | None) -> Plan:
        about = self.bundle.description
        limit = None if runner.whole_frames else self._block_bytes
        columns = runner.spare_columns, runner.least_columns
        footprint = Footprint(about.radius, about.halo, about.working_bytes, limit, about.multiple, *columns)
        return plan_run(given, wanted, box, footprint)
