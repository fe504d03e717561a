"""The thread that feeds the sink: on time, with sound, and with the last frame while the source is away."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable

from edge_sr.camera.pacing.clock import LiveTimeline
from edge_sr.camera.pacing.drop_oldest import Newest
from edge_sr.camera.pacing.latency import Latencies
from edge_sr.camera.pictures import Beyond, FrameMaker, Picture
from edge_sr.camera.reader import FIRST_PAUSE, LONGEST_PAUSE, Say
from edge_sr.errors import UnreachableError
from edge_sr.sizes import Size
from edge_sr.video.live.arrival import Sound
from edge_sr.video.live.outlets import Outlet
from edge_sr.video.live.sinks import PictureForm, Sink, StreamSink
from edge_sr.video.live.sound import SoundTrack
from edge_sr.video.piped.sink import ReaderLeft

# Silence of so many frames' time is a gap, and filled with the last frame.
GAP_FRAMES = 5
SHORTEST_GAP = 0.25


@dataclasses.dataclass(frozen=True)
class Finished:
    """An upscaled picture to be shown at ``inner`` pixels, with the source's luma ``beyond`` what RGB holds;
    ``connection`` numbers the source's openings."""

    picture: Picture
    inner: Size
    beyond: Beyond | None
    captured: float
    seconds: float | None
    connection: int


@dataclasses.dataclass(frozen=True)
class SinkPlan:
    """What the sink is opened with."""

    outlet: Outlet
    form: PictureForm
    sound: SoundTrack | None

    def open(self, say: Say) -> Sink:
        sink = StreamSink(self.outlet, self.form, self.sound)
        if self.sound is not None and not sink.has_sound:
            say(
                f"{self.outlet.address.shown} cannot hold the source's sound ({self.sound.coding}): it has none"
            )
        return sink


class Writer:
    """One sink and its thread. ``written`` frames are the source's, ``repeated`` ones fill its gaps.

    ``expecting`` says that a picture is being made: the source is not silent, its network is slow. ``ended`` once it
    takes no more: for its ``error``, or because whoever read from it left.
    """

    def __init__(self, plan: SinkPlan, sounds: Newest[tuple[int, Sound]], say: Say) -> None:
        self.queue: Newest[Finished] = Newest()
        self.latencies = Latencies()
        self.written = self.repeated = self.lost = 0
        self.first = self.last = 0.0
        self.error: BaseException | None = None
        self.expecting = self.ended = False
        self._plan, self._sounds, self._say = plan, sounds, say
        self._make = FrameMaker(plan.form.size, plan.form.colour)
        self._gap = max(SHORTEST_GAP, GAP_FRAMES * float(1 / plan.form.rate))
        self._sink: Sink | None = plan.open(say)
        self._retry_at, self._pause = 0.0, FIRST_PAUSE
        self._connection = 0
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)

    def start(self, began: float) -> None:
        self._began = began
        self._timeline = LiveTimeline(began)
        self._thread.start()

    def finish(self) -> None:
        """Writes what waits, closes the sink, and raises what went wrong."""
        self.queue.close()
        if self._thread.ident is not None:
            self._thread.join()
        if self._sink is not None:
            sink, self._sink = self._sink, None
            sink.close()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            self._write_on()
        except ReaderLeft:
            self._say(f"note: whoever read the frames left after {self.written}: ending here")
        except BaseException as error:  # the network's thread raises it for the user
            self.error = error
        finally:
            self.ended = True
            self.queue.close()

    def _write_on(self) -> None:
        shown: Finished | None = None
        wait = self._gap
        while not self.queue.ended:
            item = self.queue.take(wait)
            if item is not None:
                self._show(item)
                shown, wait = item, self._gap
            elif self.expecting:
                # A network that is slow has no time to spare for filling the sink.
                wait = self._gap
            elif shown is not None and not self.queue.ended:
                self._repeat(shown)
                wait = float(1 / self._plan.form.rate)
            self._pass_sound()

    def _show(self, item: Finished) -> None:
        if item.connection != self._connection:
            self._connection = item.connection
            self._timeline.reset()
        if not self._put(item, self._timeline.picture(item.seconds, item.captured)):
            self.lost += 1
            return
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.latencies.add(1000 * (self.last - item.captured))
        self.written += 1

    def _repeat(self, item: Finished) -> None:
        self._timeline.reset()
        if self._put(item, time.monotonic() - self._began):
            self.repeated += 1

    def _put(self, item: Finished, seconds: float) -> bool:
        def write(sink: Sink) -> None:
            sink.write(self._make(item.picture, item.inner, item.beyond), seconds)

        return self._guarded(write)

    def _pass_sound(self) -> None:
        while (found := self._sounds.take(0)) is not None:
            connection, sound = found
            seconds = self._timeline.sound(sound.seconds) if connection == self._connection else None
            if seconds is not None:
                packet, when = sound.packet, seconds
                self._guarded(lambda sink: sink.write_sound(packet, when))  # noqa: B023 - called at once

    def _guarded(self, work: Callable[[Sink], None]) -> bool:
        """Does it unless the sink is away; a stream that breaks is opened again, with ever longer pauses."""
        sink = self._sink or self._reopened()
        if sink is None:
            return False
        try:
            work(sink)
        except UnreachableError as error:
            if not self._plan.outlet.can_reopen:
                raise
            self._say(f"{error}; trying again")
            self._sink, self._retry_at = None, time.monotonic() + self._pause
            with contextlib.suppress(Exception):
                sink.close()
            return False
        self._pause = FIRST_PAUSE
        return True

    def _reopened(self) -> Sink | None:
        if time.monotonic() < self._retry_at:
            return None
        try:
            self._sink = self._plan.open(self._say)
        except UnreachableError:
            self._pause = min(LONGEST_PAUSE, self._pause * 1.5)
            self._retry_at = time.monotonic() + self._pause
        return self._sink
