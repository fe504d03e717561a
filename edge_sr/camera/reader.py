"""The thread that reads the source, comes back to it when it goes away, and keeps only the newest frames."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

from edge_sr.camera.pacing.drop_oldest import Newest
from edge_sr.camera.pacing.playback import PlaybackPace
from edge_sr.errors import EdgeSRError
from edge_sr.video.live.arrival import Arrival, Sound
from edge_sr.video.live.sound import SoundCoding, SoundTrack, read_coding
from edge_sr.video.live.sources import LiveSource, SourcePlan

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
# Packets of sound that may wait for the sink: some ten seconds.
SOUNDS = 512
HEARING_SECONDS = 1.0

Say = Callable[[str], None]


class Thinner:
    """Lets through at most ``rate`` frames a second, evenly."""

    def __init__(self, rate: Fraction | None) -> None:
        self._period = 0.0 if rate is None else float(1 / rate)
        self._next: float | None = None

    def admits(self, captured: float) -> bool:
        if not self._period:
            return True
        if self._next is None or captured - self._next > self._period:
            self._next = captured
        # Arrivals jitter: a frame may come a good part of a period too early.
        if captured < self._next - 0.4 * self._period:
            return False
        self._next += self._period
        return True


class Reader:
    """Frames and sound of one source, however often it has to be opened.

    Of the frames that come at the plan's rate every ``every``-th is kept. ``connections`` counts the times it was
    opened, ``thinned`` the frames left out for that rate and ``skipped`` those left out for ``every``.
    """

    def __init__(self, plan: SourcePlan, stop: threading.Event, say: Say) -> None:
        self.frames: Newest[tuple[int, Arrival]] = Newest()
        self.sounds: Newest[tuple[int, Sound]] = Newest(SOUNDS)
        self.connections = 0
        self.arrived = 0
        self.thinned = self.skipped = 0
        self.every = 1
        self._passed = 0
        self._halted = False
        self._plan, self._stop, self._say = plan, stop, say
        self._source: LiveSource = plan.open(stop)
        self._adopt_rate()
        self._has_sound = self._source.sound is not None
        self._track: SoundTrack | None = None
        self._other_coding: SoundCoding | None = None
        self._heard, self._go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)

    @property
    def reconnects(self) -> int:
        return max(0, self.connections - 1)

    def sound_track(self) -> SoundTrack | None:
        """How to copy the source's sound; None where it has none, or none that is heard within a second."""
        if self._has_sound and not self._heard.wait(HEARING_SECONDS):
            self._say("the source's sound begins too late to be copied: the sink has none")
            return None
        return self._track

    def start(self) -> None:
        self._thread.start()

    def restart_counts(self) -> None:
        """Counting begins here: what came before was spent on setting up."""
        self.frames.restart()
        self.sounds.restart()
        self.arrived = self.thinned = self.skipped = 0
        self._go.set()

    def halt(self) -> None:
        """No frame counts from here on; those that wait are still to be shown."""
        self._halted = True

    def finish(self) -> None:
        """Asks the thread to end; it may sit in FFmpeg for a while, and nothing waits for it then."""
        self._stop.set()
        self._go.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        try:
            self._read_on()
            self.frames.close()
        except BaseException as error:  # the network's thread raises it for the user
            self.frames.close(error)

    def _read_on(self) -> None:
        while not self._stop.is_set():
            with contextlib.closing(self._source):
                self._read()
                if self._source.ends or self._halted:
                    return
            if not self._stop.is_set():
                what = f"broke off ({self._source.fault})" if self._source.fault else "has gone silent"
                self._say(f"{self._plan.address.shown} {what}: connecting again")
                self._come_back()

    def _read(self) -> None:
        self.connections += 1
        number = self.connections
        for item in self._items(number):
            if self._stop.is_set() or self._halted:
                return
            if isinstance(item, Sound):
                self._hear(number, item)
                continue
            self._offer(number, item)

    def _offer(self, number: int, item: Arrival) -> None:
        self.arrived += 1
        if not self._thinner.admits(item.captured):
            self.thinned += 1
            return
        self._passed += 1
        if self._passed % self.every == 0:
            self.frames.put((number, item))
        else:
            self.skipped += 1

    def _items(self, number: int) -> Iterator[Arrival | Sound]:
        """All of the source, at its own pace where it has one."""
        source = self._source
        waits = source.ends and not self._go.is_set()
        items = self._after_set_up(iter(source), number) if waits else iter(source)
        if source.playback is None:
            yield from items
            return
        pace = PlaybackPace(source.playback, source.rate)
        for item in items:
            if isinstance(item, Arrival):
                seconds, captured = pace.wait(item.seconds, self._stop)
                item = dataclasses.replace(item, seconds=seconds, captured=captured)
            yield item

    def _after_set_up(self, items: Iterator[Arrival | Sound], number: int) -> Iterator[Arrival | Sound]:
        """A film from its beginning, once what its first frame and sound are needed for is there."""
        early = []
        for item in items:
            early.append(item)
            if isinstance(item, Arrival):
                self._know_sound(self._source.sound_head)
                self.frames.put((number, item))
                self._go.wait()
                break
        yield from early
        yield from items

    def _hear(self, number: int, sound: Sound) -> None:
        packet = bytes(sound.packet)
        track = self._know_sound(packet)
        coding = read_coding(self._source.sound, packet)
        if track is None or coding == track.coding:
            self._other_coding = None
            self.sounds.put((number, sound))
        elif coding != self._other_coding:
            self._other_coding = coding
            self._say(f"the source's sound is {coding} now, it was {track.coding}: left out while it is")

    def _know_sound(self, packet: bytes) -> SoundTrack | None:
        if self._track is None and packet:
            self._track = SoundTrack(self._source.sound, packet)
            self._heard.set()
        return self._track

    def _come_back(self) -> None:
        pause = FIRST_PAUSE
        began = time.monotonic()
        while not self._stop.wait(pause):
            try:
                self._source = self._plan.open(self._stop)
            except EdgeSRError:
                pause = min(LONGEST_PAUSE, pause * 1.5)
                continue
            self._adopt_rate()
            self._say(f"{self._plan.address.shown} is back after {time.monotonic() - began:.1f} s")
            return

    def _adopt_rate(self) -> None:
        """A source that is slow enough as it is must not lose frames to its own jitter."""
        own, wanted = self._source.rate, self._plan.rate
        slow = wanted is not None and own is not None and own <= wanted * Fraction(21, 20)
        self.source_rate, self._thinner = own, Thinner(None if slow else wanted)
