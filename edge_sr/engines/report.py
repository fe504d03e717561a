"""Engines as rows for people and for JSON."""

from __future__ import annotations

from typing import Any

from edge_sr.engine_cache.cache import Engine


def row(engine: Engine) -> dict[str, Any]:
    """One engine with the keys that every listing has, then what was measured."""
    manifest = engine.manifest
    key = manifest.key
    return {
        "name": key.name,
        "part": key.part,
        "target": key.target,
        "flavour": key.flavour,
        "version": key.version,
        "precision": key.precision,
        "bytes": manifest.bytes,
        "path": str(engine.path),
        "bundle": key.bundle,
        "io": key.io,
        "seconds": manifest.seconds,
        "proved": manifest.proof is not None and manifest.proof.passed,
    }
