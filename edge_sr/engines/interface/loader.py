"""TensorRT's door: the one module that imports it, for TensorRT 10 and 11 and for TensorRT for RTX.

What a release can do is found by looking for the name, never by comparing versions; the one comparison is
that TensorRT 8 is refused, because its networks are not strongly typed. Every call goes through the
protocols of ``edge_sr.engines.interface.protocols``.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib import metadata
from types import ModuleType
from typing import Any

from edge_sr.errors import MissingError
from edge_sr.machine import optional


class Flavour(str, Enum):
    """Which TensorRT: the one of JetPack and data centres, or TensorRT for RTX."""

    TENSORRT = "tensorrt"
    RTX = "tensorrt-rtx"

    @property
    def module(self) -> str:
        return self.value.replace("-", "_")


# What TensorRT for RTX compiles for; the bindings hold the same set (ComputeCapability).
RTX_COMPUTE_CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")


@dataclass
class Library:
    """One flavour, imported. ``log`` collects what TensorRT says; there is one logger for each process."""

    flavour: Flavour
    version: str
    module: Any
    logger: Any
    log: list[str] = field(default_factory=list)

    def has(self, path: str) -> bool:
        """Whether these bindings have the dotted name, for instance ``BuilderFlag.TF32``."""
        found: Any = self.module
        for part in path.split("."):
            found = getattr(found, part, None)
        return found is not None

    def errors(self, since: int = 0) -> list[str]:
        """The errors that it has logged from line ``since`` on."""
        return [line for line in self.log[since:] if line.startswith(("ERROR", "INTERNAL_ERROR"))]

    def last_error(self) -> str:
        errors = self.errors()
        return errors[-1].partition(": ")[2] if errors else "TensorRT gave no reason"


def installed_version(flavour: Flavour) -> str | None:
    """The installed version, without importing it; ``None`` when the flavour cannot be imported."""
    if importlib.util.find_spec(flavour.module) is None:
        return None
    for suffix in ("", "_cu12", "_cu13", "-cu12", "-cu13"):
        try:
            return metadata.version(flavour.module + suffix)
        except metadata.PackageNotFoundError:
            continue
    return str(getattr(importlib.import_module(flavour.module), "__version__", "unknown"))


@cache
def load(flavour: Flavour) -> Library:
    """The flavour's library; ``MissingError`` when it is absent, cannot load, or is TensorRT 8."""
    module = optional.require(flavour.module, f"backend {flavour.value}")
    return adapt(module, flavour)


def adapt(module: ModuleType, flavour: Flavour) -> Library:
    """The library around already imported bindings; refuses those without strongly typed networks."""
    version = str(getattr(module, "__version__", "unknown"))
    flags = module.NetworkDefinitionCreationFlag
    if not hasattr(flags, "STRONGLY_TYPED"):
        raise MissingError(
            f"strongly typed networks need TensorRT 10 or newer, found {version}: on a Jetson Orin move to "
            "JetPack 6.2 (TensorRT 10.3) or 7.2, on a PC run pip install 'edge-sr[tensorrt]'"
        )
    log: list[str] = []
    return Library(flavour, version, module, _collecting_logger(module, log), log)


def _collecting_logger(module: Any, log: list[str]) -> Any:
    class Collector(module.ILogger):  # type: ignore[misc]
        def log(self, severity: Any, message: str) -> None:
            if severity != module.ILogger.Severity.VERBOSE:
                log.append(f"{severity.name}: {message}")

    return Collector()
