"""``edge-sr export``: a checkpoint or a model spec to a bundle."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edge_sr.errors import ConfigError

if TYPE_CHECKING:
    from edge_sr.manifest import Bundle
    from edge_sr.models.checkpoint import Checkpoint
    from edge_sr.spec import ModelSpec


def export(
    checkpoint: Path = typer.Argument(
        ..., metavar="CHECKPOINT|SPEC", help="A checkpoint, or a model spec (.toml)."
    ),
    output: Path = typer.Option(..., "-o", "--output", metavar="BUNDLE", help="The folder to make."),
    precision: str = typer.Option("fp32,fp16", help="Precisions, comma-separated: fp32, fp16."),
    as_json: bool = typer.Option(False, "--json", help="Print the result as one JSON object."),
) -> None:
    """Turn a checkpoint into a bundle of encoder and decoder graphs.

    The graphs are held against the network in PyTorch at nine scales first; a bundle that fails is not written.
    """
    start = time.perf_counter()
    spec = _read_spec(checkpoint) if checkpoint.suffix == ".toml" else None
    loaded, weights = _load(checkpoint, spec)
    for note in loaded.notes:
        _say(f"note: {note}")
    bundle = _export(loaded, weights, spec, output, [part.strip() for part in precision.split(",")])
    _report(bundle, time.perf_counter() - start, as_json)


def _say(message: str) -> None:
    print(message, file=sys.stderr)


def _read_spec(path: Path) -> ModelSpec:
    from edge_sr.spec import ModelSpec, load_toml

    spec = load_toml(path, ModelSpec)
    if not spec.weights:
        raise ConfigError(
            f"{path}: expected a `weights` key to export from, found none; train first: edge-sr train"
        )
    return spec


def _load(path: Path, spec: ModelSpec | None) -> tuple[Checkpoint, Path]:
    from edge_sr.optional import require

    for module in ("torch", "onnx", "onnxsim"):
        require(module, "edge-sr export")
    from edge_sr.models.checkpoint import load_checkpoint

    weights = path if spec is None else path.parent / spec.weights
    return load_checkpoint(weights, None if spec is None else spec.network()), weights


def _export(
    loaded: Checkpoint, weights: Path, spec: ModelSpec | None, output: Path, precisions: list[str]
) -> Bundle:
    from edge_sr.export.bundle import Identity
    from edge_sr.export.checkpoint import export_checkpoint
    from edge_sr.manifest import Source

    source = Source(weights.name, loaded.sha256, loaded.notes)
    if spec is None:
        identity = Identity(output.name, "1", source)
    else:
        identity = Identity(spec.name, spec.version, source, spec.default_for)
    return export_checkpoint(loaded, identity, output, precisions, _say)


def _report(bundle: Bundle, seconds: float, as_json: bool) -> None:
    description = bundle.description
    cases = description.parity["cases"]
    result: dict[str, Any] = {
        "bundle": str(bundle.path),
        "name": bundle.name,
        "parameters": description.parameters,
        "precisions": list(bundle.precisions),
        "radius": description.radius,
        "seconds": round(seconds, 2),
        "parity": cases,
    }
    if as_json:
        typer.echo(json.dumps(result))
        return
    typer.echo(f"{bundle.path}: {description.parameters:,} parameters, {', '.join(bundle.precisions)}")
    typer.echo("scale        fp32 largest difference    fp16 dB   fp16 levels")
    for case in cases:
        half = "" if case["fp16_db"] is None else f"{case['fp16_db']:10.1f} {case['fp16_levels']:13d}"
        typer.echo(f"{case['scale']:<12} {case['fp32_difference']:23.1e} {half}")
