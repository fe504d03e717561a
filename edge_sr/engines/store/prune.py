"""What leaves the cache: damaged, stale and old engines, and the least used until the rest fits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_sr.engines.interface import loader as trt
from edge_sr.engines.interface.loader import Flavour
from edge_sr.engines.store.store import EngineFile, EngineStore
from edge_sr.machine.gpu import Gpu, gpu_if_any

State = tuple[tuple[int, int] | None, ...]


@dataclass(frozen=True)
class Removal:
    path: Path
    reason: str
    bytes: int


@dataclass(frozen=True)
class Limits:
    """``older_than_days`` counts from the file's last use; ``keep_bytes`` bounds what is left."""

    older_than_days: float | None = None
    keep_bytes: int | None = None
    stale: bool = True


def prune(cache: EngineStore, limits: Limits, dry_run: bool = False) -> list[Removal]:
    """Remove what the limits name, damaged engines always; with ``dry_run`` only say what would go."""
    judged = {path: _state(path) for path in cache.paths()}
    doomed = {path: reason for path, reason in _doomed(cache, limits) if _settled(cache, path)}
    removals = (_remove(cache, path, why, judged.get(path), dry_run) for path, why in doomed.items())
    return [removal for removal in removals if removal is not None]


def _settled(cache: EngineStore, path: Path) -> bool:
    """Whether nobody is building the engine: one being written has no manifest yet, and is sound."""
    return not cache.is_locked(path.stem)


def stale_reason(engine: EngineFile, gpu: Gpu | None) -> str:
    """Why this machine's TensorRT would not use the engine any more; empty when it would."""
    key = engine.manifest.key
    version = trt.installed_version(Flavour(key.flavour))
    if version is not None and version != key.version:
        return f"built by {key.flavour} {key.version}, installed is {version}"
    if key.gpu and gpu is not None and gpu.identity != key.gpu:
        return f"built on {key.gpu}, this is {gpu.identity}"
    return ""


def _doomed(cache: EngineStore, limits: Limits) -> Iterator[tuple[Path, str]]:
    sound, gpu = [], gpu_if_any()
    for path, engine, reason in cache.check():
        if engine is not None:
            reason = _too_old(path, limits) or (stale_reason(engine, gpu) if limits.stale else "")
        if reason:
            yield path, reason
        else:
            sound.append(path)
    if limits.keep_bytes is not None:
        yield from _surplus(cache, sound, limits.keep_bytes)


def _too_old(path: Path, limits: Limits) -> str:
    days = (time.time() - _last_use(path)) / 86400
    if limits.older_than_days is None or days <= limits.older_than_days:
        return ""
    return f"not used for {days:.0f} days"


def _surplus(cache: EngineStore, paths: list[Path], keep: int) -> Iterator[tuple[Path, str]]:
    total = 0
    for path in sorted(paths, key=_last_use, reverse=True):
        total += sum(cache.files(path).values())
        if total > keep:
            yield path, f"beyond the {keep:,} bytes to keep"


def _last_use(path: Path) -> float:
    """``EngineFile.note_use`` touches an engine whenever it is handed out or opened."""
    return path.stat().st_mtime


def _remove(
    cache: EngineStore, path: Path, reason: str, judged: State | None, dry_run: bool
) -> Removal | None:
    """None where the engine was built anew or used since it was ``judged``."""
    if dry_run:
        return Removal(path, reason, sum(cache.files(path).values()))
    with cache.lock(path.stem):
        return Removal(path, reason, cache.remove(path)) if _state(path) == judged else None


def _state(path: Path) -> State:
    """What changes when an engine or its manifest is replaced, removed or handed out."""
    return tuple(_version(path.with_suffix(suffix)) for suffix in (".engine", ".json"))


def _version(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns
