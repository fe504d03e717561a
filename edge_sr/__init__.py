"""Edge SR: arbitrary-scale super-resolution, from a checkpoint to a device.

from edge_sr import Upscaler

with Upscaler("diinn-edge") as up:
    larger = up(frame, scale=2.7)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_sr.bundle import open_bundle
    from edge_sr.upscaler import Upscaler

from edge_sr.version import __version__

__all__ = ["Upscaler", "__version__", "open_bundle"]

# What is computed here is told to nobody. ONNX Runtime asks as it is imported, by whatever package.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {"Upscaler": "edge_sr.upscaler", "open_bundle": "edge_sr.bundle"}


def __getattr__(name: str) -> Any:
    # Imported on first use: `edge-sr --help` must not pay for numpy and ONNX Runtime.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
