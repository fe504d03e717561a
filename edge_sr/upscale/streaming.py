"""A film upscaled into a stream: what is made goes out at once, and nothing of it is kept."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable

from edge_sr.errors import InterruptedRun, MediaError
from edge_sr.sizes import Size
from edge_sr.upscale.film_model import with_model
from edge_sr.upscale.film_plan import FilmPlan, plan_film
from edge_sr.upscale.film_source import named_film
from edge_sr.upscale.pipeline import Flow, run_whole_film
from edge_sr.upscale.relay import Aborted, Relay
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.report import Report, damage, report
from edge_sr.upscale.run.request import Request
from edge_sr.upscaler import Upscaler
from edge_sr.video.encode.segments import Segment, SegmentWriter
from edge_sr.video.film.film import Film
from edge_sr.video.mux.mux import Muxed
from edge_sr.video.mux.streamed import ByteSink, mux_stream, streamable

# A segment holds about a second, so that the first of it comes soon; but shorter ones compress badly.
SHORTEST_SEGMENT = 16
# Finished segments that may wait for a slow reader.
WAITING_SEGMENTS = 1


@dataclasses.dataclass(frozen=True)
class Outgoing:
    """Where a film streams to: ``sink`` takes the bytes.

    ``check`` is told the sizes of the input and of the whole output, and raises for what is too large; frames of
    more than ``most_pixels`` are not even decoded. ``begin`` is told plan, network and a name for each part that is
    lost, before the first byte, in another thread.
    """

    sink: ByteSink
    check: Callable[[Size, Size], None]
    begin: Callable[[FilmPlan, Upscaler, tuple[str, ...]], None]
    most_pixels: int | None = None


def stream_film(request: Request, outgoing: Outgoing, controls: Controls) -> Report:
    """Upscales the film ``request.input`` into a stream of the container that ``request.output`` names.

    Nothing is written there, but segments pass through its folder. Raises what ``upscale_film`` raises, whatever the
    sink raises, and ``InterruptedRun`` once ``controls.stop`` is set; what has gone out by then is out. A film that
    turns out to be damaged raises with ``request.strict`` at its end.
    """
    with named_film(request, outgoing.most_pixels) as film:
        outgoing.check(film.info.size, request.whole_size(film.info.size))
        plan = _streamed(plan_film(request, film, controls.watcher.say), request, film)
        settled = with_model(request, film.info, controls.watcher.say)
        with controls.networks.opened(settled, controls.watcher) as network:
            done = _StreamRun(film, plan, network, outgoing, controls).run()
    if request.strict and (done.warnings or done.dropped):
        raise MediaError(f"strict, and the film is damaged: {'; '.join([*done.warnings, *done.dropped])}")
    return done


def _streamed(plan: FilmPlan, request: Request, film: Film) -> FilmPlan:
    a_second = max(SHORTEST_SEGMENT, round(film.info.rate))
    length = request.segment_frames or min(plan.length, a_second)
    return dataclasses.replace(plan, length=length, muxing=streamable(plan.muxing))


class _StreamRun:
    """One film on its way, with all that it needs at hand."""

    def __init__(
        self, film: Film, plan: FilmPlan, network: Upscaler, outgoing: Outgoing, controls: Controls
    ) -> None:
        self._film, self._plan, self._network = film, plan, network
        self._outgoing, self._controls = outgoing, controls
        self._finished: Relay[Segment] = Relay(WAITING_SEGMENTS)
        self._muxed = Muxed()

    def run(self) -> Report:
        muxing = threading.Thread(target=self._mux, name="mux", daemon=True)
        muxing.start()
        began = time.perf_counter()
        try:
            flow = self._make_segments()
            self._finished.close()
        except BaseException:
            self._finished.abort()
            raise
        finally:
            muxing.join()
        if self._finished.error is not None:
            raise self._finished.error
        return self._report(flow, time.perf_counter() - began)

    def _make_segments(self) -> Flow:
        plan, film = self._plan, self._film
        writer = SegmentWriter(plan.output.parent, plan.recipe, plan.length, film.captions, self._pass_on)
        to_yuv = plan.recipe.frame_maker()
        flow = run_whole_film(film, self._network, writer, to_yuv, plan.target, self._controls)
        if flow.interrupted:
            raise InterruptedRun(f"stopped after {flow.frames} frames")
        writer.finish()
        return flow

    def _pass_on(self, segment: Segment, _frames: int) -> None:
        try:
            self._finished.put(segment)
        except Aborted as error:
            # A stage that ends with Aborted would be taken for one that was told to.
            raise self._finished.error or InterruptedRun("the stream has ended") from error

    def _mux(self) -> None:
        try:
            plan, sink = self._plan.muxing, self._outgoing.sink
            self._muxed = mux_stream(iter(self._finished), plan, sink, self._begin)
        except Aborted:
            pass
        except BaseException as error:
            self._finished.abort(error)

    def _begin(self, lost: list[str]) -> None:
        self._outgoing.begin(self._plan, self._network, (*self._plan.muxing.tracks.dropped, *lost))

    def _report(self, flow: Flow, seconds: float) -> Report:
        plan, film = self._plan, self._film
        return report(
            self._network,
            flow.times,
            output=plan.output,
            frames=flow.frames,
            seconds=seconds,
            input_size=film.info.size,
            output_size=plan.written,
            codec=plan.encoding.codec.name,
            bad_frames=film.bad_frames,
            dropped=(*plan.muxing.tracks.dropped, *self._muxed.lost, *film.lost),
            warnings=(*damage(film.warnings, film.bad_frames, film.name), *self._muxed.warnings),
        )
