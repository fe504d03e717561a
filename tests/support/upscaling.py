"""Runs of ``upscale`` as most tests make them: the smallest network, and on a backend that every install has."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.upscale.run.report import Report
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale


def nano_request(source: Path | str, output: Path | None = None, **more: Any) -> Request:
    """Without ``scale`` or ``size`` the output is as large as the input."""
    size = {} if "size" in more else {"scale": Fraction(1)}
    # Two runs that are compared must not choose for themselves.
    network = {"model": "diinn-nano", "backend": "onnxruntime", "precision": "fp32"}
    return Request(str(source), output, **{**size, **network, **more})


def run(source: Path | str, output: Path | None = None, **more: Any) -> Report:
    """The report of such a run."""
    return upscale(nano_request(source, output, **more))
