"""How long candidates take on this device: measured in turns, again where a busy machine scatters them, and kept."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from statistics import median
from typing import cast

from edge_sr.backends.kept import keep, kept_file, kept_times, read_kept
from edge_sr.kinds import Precision
from edge_sr.machine.description import cpu_name
from edge_sr.version import __version__, package_version

ROUNDS, MOST_ROUNDS = 6, 30
# A candidate this many times slower than the quickest is not timed again.
HOPELESS = 3.0
# The median round of a candidate that matters may be this much above its best one.
SCATTER = 0.15
# Candidates that can still win: what is further behind needs no second look.
CLOSE = 1.5
# What scattered to the end was measured on a busy machine, and is measured again after this time.
DOUBTFUL_FOR = timedelta(hours=1)

Clock = Callable[[], float]
Times = dict[str, list[float]]


@dataclasses.dataclass(frozen=True)
class Measurement:
    """``milliseconds`` of a small frame by candidate, the best of ``rounds``.

    ``steady``: the rounds of those that can win agreed. ``at``: when, in UTC, ISO 8601.
    """

    milliseconds: dict[str, float]
    steady: bool
    rounds: int
    at: str

    @property
    def sureness(self) -> str:
        """When it was measured, and how surely."""
        day = f"measured {self.at[:16].replace('T', ' ')} UTC"
        return f"{day}, {self.rounds} rounds" + (
            "" if self.steady else " that scattered: the machine was busy"
        )

    def precisions(self, backend: str) -> list[Precision]:
        """Those that the backend was timed in."""
        timed = [name.partition(" ") for name in self.milliseconds]
        return [cast(Precision, precision) for name, _, precision in timed if name == backend]

    def stands(self, now: datetime) -> bool:
        """Whether it need not be made again."""
        return self.steady or now - datetime.fromisoformat(self.at) < DOUBTFUL_FOR


def measure(candidates: Mapping[str, Clock]) -> Measurement:
    """Times each candidate, a function that gives the milliseconds of one frame, round by round in turns.

    Other work on the machine then slows all of them alike. Rounds go on while those of a candidate that can win
    scatter.
    """
    for clock in candidates.values():
        clock()
    times: Times = {name: [clock()] for name, clock in candidates.items()}
    rounds, steady = 1, False
    while rounds < ROUNDS or (rounds < MOST_ROUNDS and not steady):
        for name in hopeful(times):
            times[name].append(candidates[name]())
        rounds += 1
        steady = agree(times)
    best = {name: round(min(spent), 3) for name, spent in times.items()}
    return Measurement(best, steady, rounds, now_text())


def hopeful(times: Times, within: float = HOPELESS) -> list[str]:
    """Those whose best round is at most so many times the quickest one's."""
    quickest = min((min(spent) for spent in times.values()), default=0.0)
    return [name for name, spent in times.items() if min(spent) <= within * quickest]


def agree(times: Times) -> bool:
    """Whether the rounds of every candidate that can win lie close together."""
    return all(median(times[name]) <= (1 + SCATTER) * min(times[name]) for name in hopeful(times, CLOSE))


def device_identity(threads: int) -> dict[str, str]:
    """What times depend on: processor, threads, and the versions that compute."""
    machine = {"processor": cpu_name(), "threads": str(threads)}
    return {**machine, **computing_with()}


def computing_with() -> dict[str, str]:
    """The versions and kernels that a result on a CPU depends on."""
    packages = {name: package_version(name) or "absent" for name in ("onnxruntime", "openvino", "numpy")}
    return {"native": _native_kernels(), "edge-sr": __version__, **packages}


def stored(graphs: Iterable[str], identity: dict[str, str]) -> Measurement | None:
    """The measurement kept for these graphs, by their hashes, on this device."""
    content = read_kept(kept_file([list(graphs), identity]))
    try:
        times = kept_times(content)
        found = Measurement(times, bool(content["steady"]), int(content["rounds"]), str(content["at"]))
        return found if times and found.stands(_now()) else None
    except (ArithmeticError, KeyError, TypeError, ValueError):
        return None


def store(name: str, graphs: Iterable[str], identity: dict[str, str], found: Measurement) -> bool:
    """Keeps the measurement; False where nothing can be kept, so that it is made again next time."""
    content = {"bundle": name, "device": identity, **dataclasses.asdict(found)}
    return keep(kept_file([list(graphs), identity]), content)


def stopwatch(work: Callable[[], object]) -> Clock:
    """The milliseconds that ``work`` takes."""

    def clock() -> float:
        start = time.perf_counter()
        work()
        return 1000 * (time.perf_counter() - start)

    return clock


def _native_kernels() -> str:
    from edge_sr.backends.native import library

    return " ".join(library.encoder_kernels()) if library.available() else "absent"


def now_text() -> str:
    """The time, as a measurement keeps it."""
    return _now().isoformat(timespec="seconds")


def _now() -> datetime:
    return datetime.now(timezone.utc)
