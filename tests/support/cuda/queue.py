"""The checking device's streams, events and captured graphs; what is wrong with their use is said here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_sr.backends.cuda.driver.protocol import Event, Stream
from edge_sr.errors import DeviceError
from support.cuda.order import Clock, Span, merge

if TYPE_CHECKING:
    from support.cuda.device import FakeDriver


@dataclass
class Work:
    what: str
    reads: list[Span]
    writes: list[Span]
    action: Callable[[], None]


@dataclass(eq=False)
class Owned:
    """Something of the driver's that must be freed, once, and not used afterwards."""

    driver: FakeDriver
    freed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.driver.owned.append(self)

    def require_alive(self) -> None:
        self.driver.require_entered()
        if self.freed:
            raise DeviceError(f"{type(self).__name__} was used after it was freed")

    def free(self) -> None:
        self.require_alive()
        self.driver.owned.remove(self)
        self.freed = True


@dataclass(eq=False)
class FakeStream:
    driver: FakeDriver
    handle: int
    clock: Clock = field(default_factory=dict)

    def wait(self, event: Event) -> None:
        assert isinstance(event, FakeEvent)
        self.driver.require_no_capture(self, "a wait")
        event.require_recorded()
        merge(self.clock, event.clock)

    def synchronize(self) -> None:
        self.driver.catch_up(self.clock)


@dataclass(eq=False)
class FakeEvent(Owned):
    clock: Clock = field(default_factory=dict)
    recorded: bool = False

    def record(self, stream: Stream) -> None:
        assert isinstance(stream, FakeStream)
        self.require_alive()
        self.driver.require_no_capture(stream, "an event, which then measures nothing,")
        self.clock, self.recorded = dict(stream.clock), True

    def require_recorded(self) -> None:
        self.require_alive()
        if not self.recorded:
            raise DeviceError("an event is used that was never recorded")

    def synchronize(self) -> None:
        self.require_recorded()
        self.driver.catch_up(self.clock)

    def milliseconds_since(self, earlier: Event) -> float:
        """Steps that the streams took in between, as a made-up time."""
        assert isinstance(earlier, FakeEvent)
        for event in (self, earlier):
            event.require_recorded()
            if not _within(event.clock, self.driver.host_clock):
                raise DeviceError("time was asked of an event that the host has not waited for")
        if not _within(earlier.clock, self.clock):
            raise DeviceError("time was asked between two events in the wrong order")
        return float(sum(self.clock.values()) - sum(earlier.clock.values()))


def _within(clock: Clock, other: Clock) -> bool:
    """Whether ``other`` has seen all that ``clock`` has."""
    return all(other.get(who, 0) >= tick for who, tick in clock.items())


@dataclass(eq=False)
class FakeGraph(Owned):
    work: list[Work]

    def launch(self, stream: Stream) -> None:
        self.require_alive()
        for item in self.work:
            self.driver.enqueue(stream, item)
