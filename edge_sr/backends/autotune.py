"""``auto``: backend and precision chosen by measuring on this device, once, and kept with its identity.

The precision depends on device and bundle alone, never on a size, a region or a scale: a region would not equal
that crop of the whole otherwise. INT8 is taken where it is clearly faster; a bundle has it within its budget or
not at all. Nothing else is chosen that changes a pixel: bfloat16 and float16 must be asked for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from edge_sr.atomic_file import write_whole
from edge_sr.backends.base import Runner, RunnerConfig
from edge_sr.backends.registry import BACKENDS, Backend, choose_backend
from edge_sr.bundle import Bundle
from edge_sr.errors import EdgeSRError, OptionError
from edge_sr.grid import sampling_grid
from edge_sr.json_file import read_json
from edge_sr.kinds import Precision, Scheme
from edge_sr.machine.cache import choices_folder
from edge_sr.machine.description import cpu_name, package_version
from edge_sr.sizes import size_text
from edge_sr.tensors import reference_card
from edge_sr.version import __version__

# Large enough for threads and caches to tell, small enough to take seconds in all.
INPUT_SIZE, OUTPUT_SIZE = (160, 90), (320, 180)
ROUNDS = 5
# INT8 costs some hundredths of a dB: for less time than this, relative to the best FP32, it pays.
WORTH = 0.85
MEASURED = ("fp32", "int8")
MOST_BYTES = 1 << 16
# Their engines are built for chosen sizes, so they are asked for by name.
BY_NAME_ALONE = ("tensorrt", "tensorrt-rtx")


@dataclasses.dataclass(frozen=True)
class Choice:
    """``backend`` and ``precision`` to open, ``scheme`` the INT8 graphs that suit it, and why, in a line."""

    backend: Backend
    precision: Precision
    scheme: Scheme | None
    why: str


def choose(bundle: Bundle, backend: str, precision: str, threads: int) -> Choice:
    """What ``backend`` and ``precision``, each possibly ``auto``, come to for ``bundle`` on this device.

    Measures for a few seconds when this device and bundle are new to it. Raises ``OptionError`` for a precision
    that the bundle lacks, and what ``choose_backend`` raises.
    """
    if backend != "auto" and precision != "auto":
        chosen = choose_backend(backend, bundle)
        return _choice(bundle, chosen, _checked(precision, bundle, chosen), "as asked for")
    names = [backend] if backend != "auto" else [one.name for one in _usable(bundle)]
    pairs = [
        (choose_backend(name, bundle), wanted)
        for name in names
        for wanted in _wanted(bundle, name, precision)
    ]
    if not pairs:
        _checked(precision, bundle, choose_backend(names[0], bundle))
    if len(pairs) == 1:
        return _choice(bundle, *pairs[0], "the only one here that fits")
    times = known_times(bundle, threads)
    measured = {(one.name, wanted): times.get(f"{one.name} {wanted}") for one, wanted in pairs}
    best = _best({pair: spent for pair, spent in measured.items() if spent is not None})
    if best is None:
        return _choice(bundle, *pairs[0], "the first that fits")
    return _choice(bundle, BACKENDS[best[0]], best[1], _reason(best, measured))


def known_times(bundle: Bundle, threads: int) -> dict[str, float]:
    """Milliseconds for one small frame by ``BACKEND PRECISION``, measured now unless they are on file."""
    identity = device_identity(threads)
    folder = choices_folder()
    path = None if folder is None else folder / f"{_digest(bundle, identity)}.json"
    try:
        stored = {} if path is None else read_json(path, MOST_BYTES)
        return {str(name): float(spent) for name, spent in stored["milliseconds"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        times = dict(_measure(bundle, threads))
        _store(path, {"bundle": bundle.name, "device": identity, "milliseconds": times})
        return times


def device_identity(threads: int) -> dict[str, str]:
    """What the times depend on: processor, threads, and the versions that compute."""
    packages = {name: package_version(name) or "absent" for name in ("onnxruntime", "openvino", "numpy")}
    kernels = _native_kernels()
    machine = {"processor": cpu_name(), "threads": str(threads), "native": kernels, "edge-sr": __version__}
    return {**machine, **packages}


def _usable(bundle: Bundle) -> Iterator[Backend]:
    for backend in BACKENDS.values():
        if backend.name not in BY_NAME_ALONE and backend.takes(bundle) and not backend.unavailable_reason():
            yield backend


def _wanted(bundle: Bundle, backend: str, precision: str) -> list[Precision]:
    found = BACKENDS[backend].precisions(bundle) if backend in BACKENDS else ()
    return [name for name in found if name in (MEASURED if precision == "auto" else (precision,))]


def _checked(precision: str, bundle: Bundle, backend: Backend) -> Precision:
    found = backend.precisions(bundle)
    if precision not in found:
        raise OptionError(f"model {bundle.name} has {', '.join(found)} on {backend.name}, not {precision!r}")
    return precision


def _choice(bundle: Bundle, backend: Backend, precision: Precision, why: str) -> Choice:
    return Choice(backend, precision, backend.scheme_for(bundle, precision), why)


Candidate = tuple[str, Precision]


def _best(times: dict[Candidate, float]) -> Candidate | None:
    """The fastest; INT8 only where it is worth it."""
    quickest = {pair[1]: spent for pair, spent in sorted(times.items(), key=lambda item: -item[1])}
    if not quickest:
        return None
    precision = min(quickest, key=lambda name: quickest[name])
    if precision == "int8" and "fp32" in quickest and quickest["int8"] > WORTH * quickest["fp32"]:
        precision = "fp32"
    return min((pair for pair in times if pair[1] == precision), key=lambda pair: times[pair])


def _reason(best: Candidate, times: dict[Candidate, float | None]) -> str:
    """``fastest here: native int8 12 ms, native fp32 31 ms, onnxruntime fp32 88 ms``, for one small frame."""
    known = sorted((spent, pair) for pair, spent in times.items() if spent is not None)
    listed = ", ".join(f"{' '.join(pair)} {spent:.0f} ms" for spent, pair in known)
    small = f"{size_text(INPUT_SIZE)} to {size_text(OUTPUT_SIZE)}"
    lead = "fastest here" if known[0][1] == best else f"INT8 gains less than {1 - WORTH:.0%} here"
    return f"{lead} ({small}): {listed}"


def _measure(bundle: Bundle, threads: int) -> Iterator[tuple[str, float]]:
    """Milliseconds for a small frame, the best of each candidate's rounds, after one to warm up.

    The rounds go by turns, so that other work on the machine slows all candidates alike.
    """
    with contextlib.ExitStack() as stack:
        runners = dict(_opened(bundle, threads, stack))
        spent: dict[str, list[float]] = {name: [] for name in runners}
        for _ in range(1 + ROUNDS):
            for name, runner in runners.items():
                spent[name].append(_milliseconds(runner))
    for name, times in spent.items():
        yield name, round(min(times[1:]), 3)


def _opened(bundle: Bundle, threads: int, stack: contextlib.ExitStack) -> Iterator[tuple[str, Runner]]:
    for backend in _usable(bundle):
        for precision in _wanted(bundle, backend.name, "auto"):
            scheme = backend.scheme_for(bundle, precision)
            # What cannot open is no candidate; asked for by name it says why.
            with contextlib.suppress(EdgeSRError):
                runner = backend.open(RunnerConfig(bundle, precision, "uint8", threads, scheme))
                stack.callback(runner.close)
                yield f"{backend.name} {precision}", runner


def _milliseconds(runner: Runner) -> float:
    image, grid = reference_card(*INPUT_SIZE)[None], sampling_grid(INPUT_SIZE, OUTPUT_SIZE)
    start = time.perf_counter()
    runner.decode(runner.encode(image), image, grid)
    return 1000 * (time.perf_counter() - start)


def _digest(bundle: Bundle, identity: dict[str, str]) -> str:
    graphs = [graph.sha256 for graph in bundle.description.graphs]
    return hashlib.sha256(json.dumps([graphs, identity]).encode()).hexdigest()[:24]


def _store(path: Path | None, content: object) -> None:
    """Where nothing can be kept, it is measured again next time, no more."""
    if path is None:
        return
    with contextlib.suppress(OSError, EdgeSRError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(content, indent=1).encode())


def _native_kernels() -> str:
    from edge_sr.backends.native import library

    return " ".join(library.encoder_kernels()) if library.available() else "absent"
