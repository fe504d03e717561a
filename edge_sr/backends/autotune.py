"""``auto``: backend and precision chosen by measured time and stated loss, once a device and bundle.

Where ``cuda`` works and knows the bundle it is taken unmeasured. Elsewhere the backends on the CPU are timed in every
precision; candidates are those whose loss the bundle states within the budget. The fastest wins, or of those within a
tenth of it the most exact, and of equally exact ones the first backend in the registry's order. The choice depends on
device and bundle alone, never on a size, a region or a scale: a region would not equal that crop of the whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from edge_sr.backends.base import Runner, RunnerConfig
from edge_sr.backends.loss import BUDGET, Loss, budget_of, loss_of
from edge_sr.backends.measurement import (
    ROUNDS,
    Clock,
    Measurement,
    device_identity,
    measure,
    now_text,
    stopwatch,
    store,
    stored,
)
from edge_sr.backends.registry import BACKENDS, Backend, choose_backend
from edge_sr.bundle import Bundle
from edge_sr.errors import BundleError, EdgeSRError, OptionError
from edge_sr.grid import sampling_grid
from edge_sr.kinds import Precision, Scheme
from edge_sr.sizes import size_text
from edge_sr.tensors import reference_card

log = logging.getLogger(__name__)
# Large enough for threads and caches to tell, small enough to take seconds in all.
INPUT_SIZE, OUTPUT_SIZE = (160, 90), (320, 180)
# Less than this nobody notices, and a busy machine hides it.
TOLERANCE = 0.10
# Their engines are built for chosen sizes, so they are asked for by name.
BY_NAME_ALONE = ("tensorrt", "tensorrt-rtx")
# Needs no measuring: where there is a GPU it is by far the fastest.
GPU = "cuda"


@dataclasses.dataclass(frozen=True)
class Choice:
    """``backend`` and ``precision`` to open, ``scheme`` the INT8 graphs that suit it, and why, in a few words.

    ``times``: those that it was chosen by, in a line; empty where nothing was measured.
    """

    backend: Backend
    precision: Precision
    scheme: Scheme | None
    why: str
    times: str = ""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One backend in one precision; ``loss`` is ``None`` where the bundle states none."""

    backend: Backend
    precision: Precision
    scheme: Scheme | None
    loss: Loss | None

    @property
    def name(self) -> str:
        return f"{self.backend.name} {self.precision}"

    @property
    def cost(self) -> str:
        """``exact``, or what it loses."""
        return "exact" if self.precision == "fp32" else str(self.loss or "loss unknown")

    def chosen(self, why: str, times: str = "") -> Choice:
        return Choice(self.backend, self.precision, self.scheme, why, times)


def choose(bundle: Bundle, backend: str, precision: str, threads: int, *, retune: bool = False) -> Choice:
    """What ``backend`` and ``precision``, each possibly ``auto``, come to for ``bundle`` on this device.

    Measures for a few seconds when this device and bundle are new to it, or when ``retune`` asks for it. Raises
    ``OptionError`` for a precision that the bundle lacks, and what ``choose_backend`` raises.
    """
    if backend != "auto" and precision != "auto":
        chosen = choose_backend(backend, bundle)
        return _candidate(bundle, chosen, _checked(precision, bundle, chosen)).chosen("as asked for")
    if backend == "auto" and (on_gpu := _on_gpu(bundle, precision)):
        return on_gpu
    found = None if retune else stored(_graphs(bundle), device_identity(threads))
    # What could not be opened to be measured is a candidate again where it is all that fits: opening it says why.
    known = list(_candidates(bundle, backend, precision, found))
    candidates = known or list(_candidates(bundle, backend, precision))
    if not candidates:
        raise OptionError(f"model {bundle.name} has no {precision!r} on any backend here: see edge-sr doctor")
    if len(candidates) == 1:
        return candidates[0].chosen("the only one here that fits")
    best = _best(candidates, found or measured(bundle, threads, retune=retune))
    log.debug("auto: %s", best.times)
    return dataclasses.replace(best, why=best.times) if retune and best.times else best


def _on_gpu(bundle: Bundle, precision: str) -> Choice | None:
    """The GPU's kernels, where there is one, they know the network, and their first pictures are right."""
    gpu = BACKENDS[GPU]
    wanted = next((name for name in gpu.precisions(bundle) if precision in ("auto", name)), None)
    if wanted is None or gpu.unavailable_reason() or not gpu.takes(bundle):
        return None
    try:
        gpu.open(RunnerConfig(bundle, wanted, scheme=gpu.scheme_for(bundle, wanted))).close()
    except EdgeSRError as error:
        warnings.warn(f"the GPU is not used: {error}", stacklevel=2)
        return None
    why = "a GPU is here, and its first pictures agreed with the CPU's"
    return _candidate(bundle, gpu, wanted).chosen(why)


def known_choice(bundle: Bundle, threads: int) -> Choice | None:
    """What ``auto`` takes by a measurement that was made before; ``None`` before the first."""
    found = stored(_graphs(bundle), device_identity(threads))
    candidates = list(_candidates(bundle, "auto", "auto", found))
    return None if found is None or not candidates else _best(candidates, found)


def offers(
    bundle: Bundle, backend: str, precision: str, threads: int, *, retune: bool = False
) -> dict[str, float]:
    """What this device has for ``backend`` and ``precision``, each possibly ``auto``: a small frame's milliseconds.

    By ``BACKEND PRECISION``; 0 for what needs no measuring. Raises what ``choose`` raises.
    """
    settled = backend != "auto" and precision != "auto"
    if settled or (backend == "auto" and _on_gpu(bundle, precision)):
        chosen = choose(bundle, backend, precision, threads)
        gpu = {f"{chosen.backend.name} {chosen.precision}": 0.0}
        if settled:
            return gpu
    else:
        gpu = {}
    found = measured(bundle, threads, retune=retune).milliseconds
    names = [one.name for one in _candidates(bundle, backend, precision)]
    return {**gpu, **{name: found[name] for name in names if name in found}}


def choose_offered(bundle: Bundle, devices: Sequence[Mapping[str, float]]) -> Choice | None:
    """What serves several devices best among what all of them offer; None where they have nothing in common.

    As ``choose`` does for one, by the time that all of them together take for a frame.
    """
    common = [name for name in devices[0] if all(name in device for device in devices)]
    together = {name: _together([device[name] for device in devices]) for name in common}
    candidates = [_named(bundle, name) for name in common]
    if not candidates:
        return None
    if min(together.values()) == 0.0:
        return next(one for one in candidates if together[one.name] == 0.0).chosen("what every node has")
    return _best(candidates, Measurement(together, True, ROUNDS, now_text()))


def _together(milliseconds: list[float]) -> float:
    """Of a frame, when devices of different pace share the frames."""
    return 0.0 if 0.0 in milliseconds else len(milliseconds) / sum(1 / one for one in milliseconds)


def _named(bundle: Bundle, name: str) -> Candidate:
    backend, _, precision = name.partition(" ")
    return _candidate(bundle, BACKENDS[backend], cast(Precision, precision))


def measured(bundle: Bundle, threads: int, *, retune: bool = False) -> Measurement:
    """The times of one small frame by ``BACKEND PRECISION``, measured now unless they are on file."""
    identity = device_identity(threads)
    found = None if retune else stored(_graphs(bundle), identity)
    if found is None:
        log.info("measuring what is fastest here, once: up to 20 s")
        with contextlib.ExitStack() as stack:
            found = measure(dict(_clocks(bundle, threads, stack)))
        if not store(bundle.name, _graphs(bundle), identity, found):
            log.info(
                "that cannot be kept, and is measured again in each run: set EDGE_SR_CACHE to a folder of yours"
            )
    return found


def _candidates(
    bundle: Bundle, backend: str, precision: str, found: Measurement | None = None
) -> Iterator[Candidate]:
    """What may be chosen; a precision asked for by name needs no stated loss.

    Of what was ``found`` by a measurement alone, where there is one.
    """
    budget = budget_of(bundle)
    for one in _asked(bundle, backend):
        # OpenVINO takes longer to say what it lowers than a small picture to upscale; the measurement knows.
        for name in one.precisions(bundle) if found is None else found.precisions(one.name):
            candidate = _candidate(bundle, one, name)
            within = candidate.loss is not None and candidate.loss.within(budget)
            if name == precision or (precision == "auto" and within and backend != GPU):
                yield candidate
        # Who asks for the GPU by name has what it computes in first of all.
        if backend == GPU and precision == "auto":
            yield _candidate(bundle, one, one.precisions(bundle)[0])


def _candidate(bundle: Bundle, backend: Backend, precision: Precision) -> Candidate:
    scheme = backend.scheme_for(bundle, precision)
    # What bfloat16 loses is measured as the library rounds; others keep more of the network in it.
    stated = precision != "bf16" or backend.name == "native"
    return Candidate(backend, precision, scheme, loss_of(bundle, precision, scheme) if stated else None)


def precisions_of(bundle: Bundle, backend: str) -> tuple[Precision, ...]:
    """Those that may be asked for by name with ``backend``; none where it does not take the bundle.

    Raises ``OptionError`` for an unknown backend, ``MissingError`` for one that cannot work here.
    """
    try:
        return tuple(
            dict.fromkeys(name for one in _asked(bundle, backend) for name in one.precisions(bundle))
        )
    except BundleError:
        return ()


def _asked(bundle: Bundle, backend: str) -> list[Backend]:
    return list(_usable(bundle)) if backend == "auto" else [choose_backend(backend, bundle)]


def _usable(bundle: Bundle) -> Iterator[Backend]:
    for backend in BACKENDS.values():
        if (
            backend.name not in (*BY_NAME_ALONE, GPU)
            and not backend.unavailable_reason()
            and backend.takes(bundle)
        ):
            yield backend


def _checked(precision: str, bundle: Bundle, backend: Backend) -> Precision:
    found = backend.precisions(bundle)
    if precision not in found:
        raise OptionError(f"model {bundle.name} has {', '.join(found)} on {backend.name}, not {precision!r}")
    return precision


def _best(candidates: list[Candidate], found: Measurement) -> Choice:
    """The winner by time and loss; without any time, as where none could be opened, the first."""
    times = found.milliseconds
    timed = sorted((one for one in candidates if one.name in times), key=lambda one: times[one.name])
    if not timed:
        return candidates[0].chosen("the first that fits")
    limit = (1 + TOLERANCE) * times[timed[0].name]
    near = [one for one in timed if times[one.name] <= limit]
    # Equally exact ones stay in the registry's order, whichever was a little faster today.
    best = min((one for one in candidates if one in near), key=_inexactness)
    following = next((one for one in timed if one is not best), None)
    said = [
        f"{one.name} {times[one.name]:.1f} ms, {one.cost}" for one in (best, following) if one is not None
    ]
    small = f"{size_text(INPUT_SIZE)} to {size_text(OUTPUT_SIZE)}"
    rank = "the fastest" if best is timed[0] else "within a tenth of the fastest"
    return best.chosen(
        f"{rank} of {len(timed)} measured here, and {best.cost}",
        f"{'; next '.join(said)} ({small}, {found.sureness})",
    )


def _inexactness(candidate: Candidate) -> tuple[float, float]:
    loss = candidate.loss or BUDGET
    return max(loss.mean_db, 0.0), max(loss.worst_db, 0.0)


def _clocks(bundle: Bundle, threads: int, stack: contextlib.ExitStack) -> Iterator[tuple[str, Clock]]:
    """Every candidate, whatever it loses: the budget may change, the times do not."""
    for backend in _usable(bundle):
        for precision in backend.precisions(bundle):
            scheme = backend.scheme_for(bundle, precision)
            # What cannot open is no candidate; asked for by name it says why.
            with contextlib.suppress(EdgeSRError):
                runner = backend.open(RunnerConfig(bundle, precision, "uint8", threads, scheme))
                stack.callback(runner.close)
                yield f"{backend.name} {precision}", _frame_clock(runner)


def _frame_clock(runner: Runner) -> Clock:
    image, grid = reference_card(*INPUT_SIZE)[None], sampling_grid(INPUT_SIZE, OUTPUT_SIZE)
    return stopwatch(lambda: runner.decode(runner.encode(image), image, grid))


def _graphs(bundle: Bundle) -> list[str]:
    return [graph.sha256 for graph in bundle.description.graphs]
