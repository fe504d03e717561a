"""``edge-sr models``: the networks that come with the package."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from edge_sr.cli.options import Json

if TYPE_CHECKING:
    from edge_sr.bundle import Bundle


EXAMPLES = ("edge-sr models", "edge-sr models --json")


def models(as_json: Json = False) -> None:
    """List the shipped networks, the default first."""
    from edge_sr.bundle import shipped_bundles

    found = [_entry(bundle) for bundle in shipped_bundles()]
    if as_json:
        typer.echo(json.dumps({"models": found}))
        return
    typer.echo(f"{'name':<16} {'version':<10} {'parameters':>11}  graphs")
    for entry in found:
        default = f"  (default for {', '.join(entry['default_for'])})" if entry["default_for"] else ""
        typer.echo(
            f"{entry['name']:<16} {entry['version']:<10} {entry['parameters']:>11,}  "
            f"{', '.join(entry['precisions'])}{default}"
        )
    typer.echo("native and openvino run the fp32 graphs in bf16 too")


def _entry(bundle: Bundle) -> dict[str, Any]:
    return {
        "name": bundle.name,
        "version": bundle.description.version,
        "parameters": bundle.description.parameters,
        "precisions": list(bundle.precisions),
        "placements": list(bundle.schemes),
        "path": str(bundle.path),
        "default_for": list(bundle.description.default_for),
    }
