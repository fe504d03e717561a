"""``edge-sr doctor``: what this machine has, which backends work, and what to install for the others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from edge_sr.cli.options import Json
from edge_sr.version import __version__

if TYPE_CHECKING:
    from edge_sr.doctor import Finding

MARKS = {"ready": "ok", "absent": "--", "broken": "!!"}


EXAMPLES = ("edge-sr doctor", "edge-sr doctor --json")


def doctor(as_json: Json = False) -> None:
    """Try every part of Edge SR on this machine, a line each."""
    from dataclasses import asdict

    from edge_sr.doctor import examine
    from edge_sr.machine.description import describe

    machine = describe()
    if as_json:
        findings = list(examine())
        backends = [f.name for f in findings if f.kind == "backend" and f.state == "ready"]
        typer.echo(
            json.dumps(
                {
                    "version": __version__,
                    "machine": machine,
                    "backends": backends,
                    "checks": [asdict(finding) for finding in findings],
                }
            )
        )
        return
    here = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"
    typer.echo(f"Edge SR {__version__} on {here}")
    works = False
    for finding in examine():
        typer.echo(_line(finding))
        works |= (finding.name, finding.state) == ("onnxruntime", "ready")
    typer.echo(f"upscale {'works' if works else 'does not work'} here; -- marks what is optional")


def _line(finding: Finding) -> str:
    advice = f"; needs: {finding.install}" if finding.install else ""
    # As wide as the longest name, prometheus-client.
    return f"{MARKS[finding.state]}  {finding.name:<17} {finding.detail}{advice}"
