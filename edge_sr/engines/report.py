"""Engines as rows of a table for people, and for JSON."""

from __future__ import annotations

from typing import Any

from edge_sr.engines.store.store import EngineFile


def row(engine: EngineFile) -> dict[str, Any]:
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


COLUMNS = ("bundle", "part", "io", "precision", "target", "seconds", "bytes")


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A line for each engine under a line of headings; the last column, ``path``, is not padded."""
    cells = [[_cell(item[column]) for column in COLUMNS] for item in rows]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *cells, strict=True)]
    paths = ["path", *(item["path"] for item in rows)]
    return [
        "  ".join([*(_padded(*pair) for pair in zip(line, widths, strict=True)), path])
        for line, path in zip([list(COLUMNS), *cells], paths, strict=True)
    ]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _padded(text: str, width: int) -> str:
    """Numbers to the right."""
    return text.rjust(width) if text[:1].isdigit() else text.ljust(width)
