"""From a bundle's graphs to engines in the store: one builder at a time, what is there already is kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from edge_sr.engines.build.dla import require_all_on_dla
from edge_sr.engines.build.network import BuiltEngine, ParsedGraph
from edge_sr.engines.build.request import BuildRequest, Workplace, engine_keys
from edge_sr.engines.build.timing_cache import TimingCache
from edge_sr.engines.interface import loader as trt
from edge_sr.engines.interface.loader import Flavour
from edge_sr.engines.store.identity import EngineKey, EngineManifest
from edge_sr.engines.store.store import SCHEMA, EngineFile, EngineStore
from edge_sr.errors import BundleError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """``fresh`` is false for an engine that was in the store already."""

    engine: EngineFile
    fresh: bool


def build(
    request: BuildRequest, workplace: Workplace, store: EngineStore, say: Say, *, force: bool = False
) -> list[Built]:
    """Every engine of the request, found, or built; with ``force`` always built. ``say`` hears what happens.

    ``BundleError`` for a precision that the bundle lacks, ``EngineError`` when TensorRT refuses a graph.
    """
    return [_ensure(request, key, store, say, force) for key in engine_keys(request, workplace)]


def _ensure(request: BuildRequest, key: EngineKey, store: EngineStore, say: Say, force: bool) -> Built:
    found = None if force else store.find(key)
    if found is not None:
        say(f"{key.name}: in the store")
        return Built(found, fresh=False)
    with store.lock(key.name, lambda: say(f"{key.name}: another process is building it, waiting")):
        found = None if force else store.find(key)
        return Built(found, fresh=False) if found else Built(_build(request, key, store, say), fresh=True)


def _build(request: BuildRequest, key: EngineKey, store: EngineStore, say: Say) -> EngineFile:
    say(f"{key.name}: building")
    started = time.monotonic()
    on_dla = key.settings.dla_core is not None
    fixed = {name: span.optimum for name, span in key.profiles[0].items()} if on_dla else None
    graph = ParsedGraph(trt.load(Flavour(key.flavour)), _model(request, key), fixed)
    if on_dla:
        _tell_fallback(require_all_on_dla(graph, key.settings.gpu_fallback), say)
    plan = _plan(graph, key, store, say)
    seconds = time.monotonic() - started
    engine = store.store(_manifest(graph, key, plan, seconds), plan.data, "\n".join(graph.library.log) + "\n")
    say(f"{key.name}: {seconds:.2f} s, {len(plan.data):,} bytes")
    return engine


def _tell_fallback(layers: list[str], say: Say) -> None:
    if layers:
        say(f"{len(layers)} layers run on the GPU instead of DLA: {', '.join(layers)}")


def _plan(graph: ParsedGraph, key: EngineKey, store: EngineStore, say: Say) -> BuiltEngine:
    if key.flavour == Flavour.RTX.value:
        return graph.build(key.profiles, key.settings)
    timings = TimingCache(store.folder, key)
    plan = graph.build(key.profiles, key.settings, timings.load(), lambda phase: say(f"  {phase}"))
    if graph.refused_timings:
        say(f"  {timings.path.name} was refused by TensorRT and is replaced: kernels were timed anew")
    timings.save(plan.timing_cache)
    return plan


def _model(request: BuildRequest, key: EngineKey) -> bytes:
    """The graph's bytes, which are those that the key was made from."""
    model = request.bundle.graph(key.part, key.precision, key.io).read_bytes()
    if hashlib.sha256(model).hexdigest() != key.graph_sha256:
        raise BundleError(
            f"bundle {request.bundle.path} changed while its engines were built: run the command again"
        )
    return model


def _manifest(graph: ParsedGraph, key: EngineKey, plan: BuiltEngine, seconds: float) -> EngineManifest:
    return EngineManifest(
        schema=SCHEMA,
        key=key,
        sha256=hashlib.sha256(plan.data).hexdigest(),
        bytes=len(plan.data),
        seconds=round(seconds, 3),
        inputs=graph.inputs,
        outputs=graph.outputs,
        built_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
