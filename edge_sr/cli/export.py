"""``edge-sr export``: a checkpoint or a model spec to a bundle."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_sr.cli.options import NETWORK, RUN, Json
from edge_sr.cli.terminal.progress import say
from edge_sr.errors import ConfigError, InputNotFoundError, OptionError
from edge_sr.machine.optional import require

if TYPE_CHECKING:
    from edge_sr.bundle import Bundle
    from edge_sr.export.bundle import Identity
    from edge_sr.spec import ModelSpec

PRECISIONS = "fp32,fp16"


EXAMPLES = ("edge-sr export diinn.ckpt -o my-diinn", "edge-sr export net.onnx -o net")

CheckpointArgument = Annotated[
    Path,
    typer.Argument(
        metavar="CHECKPOINT|SPEC|ONNX",
        help="A checkpoint, a model spec (.toml), or any ONNX model from image to image (.onnx).",
    ),
]
Output = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="BUNDLE", help="The bundle to write.", rich_help_panel=RUN),
]
Precisions = Annotated[
    str,
    typer.Option(
        metavar="P[,P]", help="fp32 alone, or fp32,fp16: fp16 never stands alone.", rich_help_panel=NETWORK
    ),
]


def export(
    checkpoint: CheckpointArgument,
    output: Output,
    precision: Precisions = PRECISIONS,
    as_json: Json = False,
) -> None:
    """Turn a trained network into a bundle of graphs.

    The graphs are compared with the network in PyTorch first.
    A bundle that differs is not written.
    """
    start = time.perf_counter()
    if not checkpoint.exists():
        raise InputNotFoundError(f"no such checkpoint, model spec or network: {checkpoint}")
    for module in ("torch", "onnx", "onnxsim"):
        require(module, "edge-sr export", "export")
    spec = _read_spec(checkpoint) if checkpoint.suffix == ".toml" else None
    weights = checkpoint if spec is None else checkpoint.parent / spec.weights
    if weights.suffix == ".onnx":
        bundle = _export_external(weights, spec, output, precision)
    else:
        bundle = _export_checkpoint(weights, spec, output, precision)
    _report(bundle, time.perf_counter() - start, as_json)


def _export_external(path: Path, spec: ModelSpec | None, output: Path, precision: str) -> Bundle:
    from edge_sr.bundle import file_sha256
    from edge_sr.export.external.network import export_external
    from edge_sr.export.external.probe import Stated
    from edge_sr.files.config import from_mapping

    if precision not in (PRECISIONS, "fp32"):
        raise OptionError(f"an ONNX network is taken as it is, in fp32; found --precision {precision}")
    if not path.is_file():
        raise InputNotFoundError(f"no such network: {path}")
    stated = from_mapping(Stated, {} if spec is None else spec.options, "options")
    identity = _identity(path, file_sha256(path), (), spec, output)
    return export_external(path, identity, output, stated, say)


def _export_checkpoint(path: Path, spec: ModelSpec | None, output: Path, precision: str) -> Bundle:
    from edge_sr.export.checkpoint import export_checkpoint
    from edge_sr.models.checkpoint import load_checkpoint

    loaded = load_checkpoint(path, None if spec is None else spec.network())
    for note in loaded.notes:
        say(f"note: {note}")
    identity = _identity(path, loaded.sha256, loaded.notes, spec, output)
    precisions = [part.strip() for part in precision.split(",")]
    return export_checkpoint(loaded, identity, output, precisions, say)


def _identity(
    weights: Path, sha256: str, notes: tuple[str, ...], spec: ModelSpec | None, output: Path
) -> Identity:
    from edge_sr.bundle import Source
    from edge_sr.export.bundle import Identity

    source = Source(weights.name, sha256, notes)
    if spec is None:
        return Identity(output.name, "1", source)
    return Identity(spec.name, spec.version, source, spec.default_for)


def _read_spec(path: Path) -> ModelSpec:
    from edge_sr.files.config import load_toml
    from edge_sr.spec import ModelSpec

    spec = load_toml(path, ModelSpec)
    if not spec.weights:
        raise ConfigError(
            f"{path}: expected a `weights` key to export from, found none; train first: edge-sr train"
        )
    return spec


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
