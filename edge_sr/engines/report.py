"""Engines as rows of a table for people, and for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge_sr.engines.store.identity import EngineKey, EngineManifest, Shape, ShapeRange, Tensor
from edge_sr.engines.store.store import EngineFile
from edge_sr.sizes import size_text


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
        "sizes": [_size(profile) for profile in key.profiles],
        "for": _made_for(key),
        "seconds": manifest.seconds,
        "proved": manifest.proof is not None and manifest.proof.passed,
    }


COLUMNS = ("bundle", "part", "io", "precision", "target", "sizes", "for", "seconds", "bytes")


def _size(profile: dict[str, ShapeRange]) -> str:
    """``640x360``, or ``up to 640x360``: the frames of a profile, by the picture or else the maps that go in."""
    if "image" in profile:
        shapes = profile["image"]
        least, most = shapes.minimum[2:0:-1], shapes.maximum[2:0:-1]
    else:
        shapes = profile["maps"]
        least, most = shapes.minimum[:1:-1], shapes.maximum[:1:-1]
    largest = size_text((most[0], most[1]))
    return largest if least == most else f"up to {largest}"


def _made_for(key: EngineKey) -> str:
    if key.settings.dla_core is not None:
        return "dla"
    return "kernels" if key.settings.maps_last else "gpu"


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
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _padded(text: str, width: int) -> str:
    """Numbers to the right."""
    return text.rjust(width) if text[:1].isdigit() else text.ljust(width)


def facts(manifest: EngineManifest) -> Iterator[str]:
    """A manifest for people, a fact a line."""
    for owner in (manifest.key, manifest):
        for name, value in vars(owner).items():
            if name == "profiles":
                yield from _profiles(value)
            elif name != "key":
                yield f"{name}: {_text(value)}"


def _profiles(profiles: tuple[dict[str, ShapeRange], ...]) -> Iterator[str]:
    for number, profile in enumerate(profiles, 1):
        yield f"profile {number}: frames {_size(profile)}"
        yield from (f"  {name}: {_range(shapes)}" for name, shapes in profile.items())


def _range(shapes: ShapeRange) -> str:
    if shapes.minimum == shapes.maximum:
        return _shape(shapes.maximum)
    return f"{_shape(shapes.minimum)} to {_shape(shapes.maximum)}, tuned for {_shape(shapes.optimum)}"


def _shape(shape: Shape) -> str:
    return "x".join("?" if length < 0 else str(length) for length in shape)


def _text(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{value.name} {value.dtype} {_shape(value.shape)}"
    if isinstance(value, tuple):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "__dict__"):
        return ", ".join(f"{name} {_text(each)}" for name, each in vars(value).items())
    return "none" if value in (None, "") else str(value)
