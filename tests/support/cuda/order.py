"""Vector clocks: which uses of device memory happen before which, for the checking device.

Every stream, and the host, counts its own steps and remembers how far it has seen the others get. Two uses of
one address are ordered when the later one's actor has seen the earlier step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_sr.errors import DeviceError

Clock = dict[int, int]
Span = tuple[int, int]
"""Address and number of bytes."""

HOST = 0


def merge(into: Clock, other: Clock) -> None:
    """See all that ``other`` has seen."""
    for who, tick in other.items():
        into[who] = max(into.get(who, 0), tick)


@dataclass(frozen=True)
class Use:
    """One access of one span of addresses, at step ``tick`` of actor ``who``."""

    start: int
    stop: int
    write: bool
    who: int
    tick: int
    what: str

    def races(self, later: Use, clock: Clock) -> bool:
        """Whether ``later``, whose actor has seen ``clock``, touches the same bytes without waiting for this."""
        overlap = self.start < later.stop and later.start < self.stop
        return overlap and (self.write or later.write) and not self.seen_by(clock)

    def seen_by(self, clock: Clock) -> bool:
        return clock.get(self.who, 0) >= self.tick


@dataclass
class Order:
    """The uses that the host has not yet seen done."""

    uses: list[Use] = field(default_factory=list)

    def add(self, who: int, clock: Clock, what: str, reads: list[Span], writes: list[Span]) -> None:
        """Add one step of ``who``; ``DeviceError`` when it races with an earlier one."""
        new = [Use(start, start + n, False, who, clock[who], what) for start, n in reads]
        new += [Use(start, start + n, True, who, clock[who], what) for start, n in writes]
        for earlier in self.uses:
            if any(earlier.races(use, clock) for use in new):
                raise DeviceError(
                    f"missing synchronisation: {what} on stream {who} "
                    f"does not wait for {earlier.what} on stream {earlier.who}"
                )
        self.uses += new

    def settle(self, clock: Clock) -> None:
        """Forget what the host has seen done: it cannot race with what comes later."""
        self.uses = [use for use in self.uses if not use.seen_by(clock)]

    def using(self, start: int, nbytes: int, clock: Clock) -> Use | None:
        """A use of the span that an actor with this clock has not seen done."""
        probe = Use(start, start + nbytes, True, HOST, 0, "")
        return next((use for use in self.uses if use.races(probe, clock)), None)
