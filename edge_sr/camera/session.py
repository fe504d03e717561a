"""A live run: source -> newest frame -> network -> sink, and nobody waits for a slow one.

source    reader.frames      packets decoded; the newest frame kept, older ones dropped       (thread)
network   engine.upscale     to RGB, still tiles reused, at the scale the deadline allows     (the caller's)
sink      writer.queue       to YUV at the output's size, encoded, sent; latency measured     (thread)
page      views.publish      each viewer's region, as sharp as the screen can show            (thread)
"""

from __future__ import annotations

import contextlib
import threading
import time
from fractions import Fraction
from typing import Protocol

from edge_sr.camera.engine import LiveUpscaler
from edge_sr.camera.pacing.deadline import ScaleController
from edge_sr.camera.pacing.latency import Latencies
from edge_sr.camera.pictures import Picture, RgbReader, sink_colour
from edge_sr.camera.reader import Reader, Say
from edge_sr.camera.request import CameraRequest, Fit, LiveReport, fit
from edge_sr.camera.writer import Finished, SinkPlan, Writer
from edge_sr.errors import InputError, InterruptedRun, MediaError, UnreachableError
from edge_sr.sizes import Size, size_text
from edge_sr.video.frames.colour import HDR_TRANSFERS, read_colour
from edge_sr.video.live.arrival import Arrival
from edge_sr.video.live.outlets import Outlet
from edge_sr.video.live.sinks import PictureForm
from edge_sr.video.shape import pixel_aspect

FIRST_FRAME_SECONDS = 15.0
# How soon a stop, a request of the page or the end of the duration is noticed.
GLANCE_SECONDS = 0.02
DEFAULT_RATE = Fraction(25)
STOPPED_EARLY = "stopped before the first picture: nothing was written"


class Viewers(Protocol):
    """The page's viewers, as the network's thread sees them."""

    latencies: Latencies

    def serve(self, engine: LiveUpscaler, frame: Picture, captured: float, report: LiveReport) -> None:
        """A new frame for those who are ready for one."""

    def attend(self, engine: LiveUpscaler) -> None:
        """Between frames: views that moved, models to switch."""


class CameraSession:
    """One run of ``request``. ``stop`` ends it between two frames."""

    def __init__(self, request: CameraRequest, stop: threading.Event, say: Say) -> None:
        self._request, self._stop, self._say = request, stop, say
        self.audience: Viewers | None = None
        self.target: Size = (0, 0)
        self._to_rgb = RgbReader()
        self._fit: Fit | None = None
        self._adopted: tuple[Size, Fraction, Fraction | None] | None = None
        self._controller: ScaleController | None = None
        self._writer: Writer | None = None
        self.report = LiveReport()

    def run(self) -> LiveReport:
        """Runs to the end of the source, of the duration, or to the stop."""
        request = self._request
        with contextlib.closing(LiveUpscaler(request.network, request.still_threshold)) as engine:
            reader = self._open_reader()
            try:
                reader.start()
                self._set_up(reader, engine)
                self._flow(reader, engine)
            finally:
                reader.finish()
                if self._writer is not None:
                    self._writer.finish()
            self._account(reader, engine)
        # What was on its way when the run was stopped has not come out either.
        self.report.dropped = max(self.report.dropped, self.report.frames_in - self.report.frames_out)
        return self.report

    def _set_up(self, reader: Reader, engine: LiveUpscaler) -> None:
        """The first frame says how large everything is; it and what comes meanwhile are not counted."""
        self._reader = reader
        arrival = self._first_arrival(reader)
        frame = self._to_rgb(arrival.frame)
        self._first, self._first_aspect = (frame.shape[1], frame.shape[0]), arrival.aspect
        self.target = self._request.target(self._first)
        self._adopt(self._first, arrival.aspect)
        assert self._fit is not None
        engine.warm_up(frame, self._fit.inner)
        if self._request.outlet is not None:
            plan = self._sink_plan(self._request.outlet, reader, arrival)
            self._writer = Writer(plan, reader.sounds, self._say)
        self.report.input_size, self.report.output_size = self._first, self.target
        self._began = time.monotonic()
        if self._writer is not None:
            self._writer.start(self._began)
        reader.restart_counts()
        self._say(f"live: {size_text(self._first)} to {size_text(self.target)}")

    def _sink_plan(self, outlet: Outlet, reader: Reader, first: Arrival) -> SinkPlan:
        colour = read_colour(first.frame)[0]
        if colour.is_hdr:
            self._say(
                f"note: the source is HDR, {HDR_TRANSFERS[colour.transfer]}, and stays so, in 8 bits: steps may be seen"
            )
        aspect = pixel_aspect(first.aspect, self._first, self.target)
        if aspect != 1 and not outlet.takes_aspect:
            self._say(
                f"note: pixels are {float(aspect):.3g} times as wide as high, which this sink cannot say"
            )
        rate = self._request.rate or reader.source_rate or DEFAULT_RATE
        form = PictureForm(self.target, rate, sink_colour(self.target, outlet.siting, colour), aspect)
        return SinkPlan(outlet, form, reader.sound_track() if outlet.takes_sound else None)

    def _open_reader(self) -> Reader:
        try:
            return Reader(self._request.source_plan, threading.Event(), self._say)
        except InputError as error:
            # A signal breaks off what FFmpeg waits for, which then looks like a bad source.
            if self._stop.is_set():
                raise InterruptedRun(STOPPED_EARLY) from error
            raise

    def _first_arrival(self, reader: Reader) -> Arrival:
        until = time.monotonic() + FIRST_FRAME_SECONDS
        while time.monotonic() < until and not self._stop.is_set():
            found = reader.frames.take(GLANCE_SECONDS)
            if found is not None:
                return found[1]
            if reader.frames.ended:
                break
        if self._stop.is_set():
            raise InterruptedRun(STOPPED_EARLY)
        raise self._no_picture(reader)

    def _no_picture(self, reader: Reader) -> Exception:
        shown = self._request.source.shown
        if reader.frames.ended:
            return MediaError(f"{shown} ended before its first picture: check that it is a film or a camera")
        return UnreachableError(
            f"{shown} sent no picture within {FIRST_FRAME_SECONDS:.0f} s: check its sender"
        )

    def _flow(self, reader: Reader, engine: LiveUpscaler) -> None:
        duration = self._request.duration
        while not reader.frames.ended:
            if self._stop.is_set():
                self.report.interrupted = True
                return
            if duration is not None and time.monotonic() - self._began >= duration:
                self._last_frame(reader, engine)
                return
            if self._writer is not None and self._writer.ended:
                return
            if self.audience is not None:
                self.audience.attend(engine)
            found = reader.frames.take(GLANCE_SECONDS)
            if found is not None:
                self._frame(found[0], found[1], engine)
                self._account(reader, engine)

    def _last_frame(self, reader: Reader, engine: LiveUpscaler) -> None:
        reader.halt()
        found = reader.frames.take(0)
        if found is not None:
            self._frame(found[0], found[1], engine)

    def _frame(self, connection: int, arrival: Arrival, engine: LiveUpscaler) -> None:
        began = time.perf_counter()
        frame = self._to_rgb(arrival.frame, self.target)
        self._adopt((frame.shape[1], frame.shape[0]), arrival.aspect)
        if self._writer is not None:
            self._writer.expecting = True
        if self.audience is not None:
            self.audience.serve(engine, frame, arrival.captured, self.report)
        if self._writer is not None:
            self._upscale(self._writer, frame, connection, arrival, engine, began)
        self.report.frames_out += self._writer is None

    def _upscale(
        self,
        writer: Writer,
        frame: Picture,
        connection: int,
        arrival: Arrival,
        engine: LiveUpscaler,
        began: float,
    ) -> None:
        assert self._fit is not None
        scale = self._fit.highest if self._controller is None else self._controller.scale
        picture = engine.upscale(frame, self._fit.network_size(scale))
        beyond = self._to_rgb.luma_beyond(arrival.frame)
        writer.queue.put(
            Finished(picture, self._fit.inner, beyond, arrival.captured, arrival.seconds, connection)
        )
        writer.expecting = False
        self.report.scale = round(scale, 4)
        self._meet_deadline(engine, time.perf_counter() - began)

    def _meet_deadline(self, engine: LiveUpscaler, elapsed: float) -> None:
        if self._controller is None:
            return
        self.report.missed += elapsed > self._controller.period
        cost = engine.cost(elapsed)
        if cost is not None:
            self._controller.observe(cost, time.monotonic())
            self._take_every(self._controller.every)

    def _take_every(self, every: int) -> None:
        if every == self._reader.every:
            return
        self._reader.every = every
        which = "every frame is" if every == 1 else f"no scale is quick enough: one frame in {every} is"
        self._say(f"{which} taken, {float(self._held_rate or 0):.3g} frames/s")

    @property
    def _held_rate(self) -> Fraction | None:
        """Frames a second under the deadline; a source may give fewer than are asked for."""
        if self._request.rate is None:
            return None
        return min(self._request.rate, self._reader.source_rate or self._request.rate) / self._reader.every

    def _adopt(self, size: Size, aspect: Fraction) -> None:
        """A source of another shape than before is fitted into the output anew, and of another rate timed anew."""
        found = (size, aspect, self._reader.source_rate)
        if found == self._adopted:
            return
        self._adopted = found
        self._fit = fit(size, self._first, self.target, aspect, self._first_aspect)
        self._reader.every = 1
        rate = self._held_rate
        if rate is not None:
            changes = 0 if self._controller is None else self._controller.changes
            lowest = min(self._request.lowest_scale, self._fit.highest)
            self._controller = ScaleController(float(1 / rate), lowest, self._fit.highest)
            self._controller.changes = changes

    def _account(self, reader: Reader, engine: LiveUpscaler) -> None:
        report = self.report
        report.frames_in, report.thinned = reader.arrived, reader.thinned
        report.reconnects = reader.reconnects
        report.reused_tiles = engine.reused
        report.seconds = round(time.monotonic() - self._began, 3)
        report.scale_changes = 0 if self._controller is None else self._controller.changes
        report.skipped, report.every = reader.skipped, reader.every
        report.held_fps = None if self._held_rate is None else round(float(self._held_rate), 3)
        report.dropped = reader.frames.dropped + reader.thinned + reader.skipped
        network = engine.network
        report.model, report.precision, report.placement = network.model, network.precision, network.scheme
        report.backend, report.encoder_backend = network.backend, network.encoder_backend
        if self._writer is not None:
            self._account_sink(self._writer)
        elif self.audience is not None:
            report.latency_ms = self.audience.latencies.mapping()
            report.fps = round(report.frames_out / max(report.seconds, 1e-3), 3)

    def _account_sink(self, writer: Writer) -> None:
        report = self.report
        report.frames_out, report.repeated = writer.written, writer.repeated
        report.dropped += writer.queue.dropped + writer.lost
        report.latency_ms = writer.latencies.mapping()
        spell = writer.last - writer.first
        report.fps = round((writer.written - 1) / spell, 3) if spell > 0 else 0.0
