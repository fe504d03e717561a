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
    for finding in examine():
        typer.echo(_line(finding))


def _line(finding: Finding) -> str:
    advice = f"; {finding.install}" if finding.install else ""
    return f"{MARKS[finding.state]}  {finding.name:<13} {finding.detail}{advice}"
