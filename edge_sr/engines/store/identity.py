"""What an engine is: everything its bytes depend on, and the name made from all of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge_sr.kinds import Role, SampleType

Shape = tuple[int, ...]

# Bundles and targets are named by users, and a file's name has at most 255 bytes.
LONGEST_WORD = 40


@dataclass(frozen=True)
class ShapeRange:
    """One input's shapes in one optimisation profile; ``optimum`` is the one kernels are tuned for."""

    minimum: Shape
    optimum: Shape
    maximum: Shape


Profile = Mapping[str, ShapeRange]


@dataclass(frozen=True)
class BuildSettings:
    """What the builder is told beside the graph and its shapes; ``compute_capabilities`` only for RTX.

    ``maps_last``: an encoder writes its maps with the channels of a pixel side by side, padded to eight (TensorRT's
    ``HWC8``), as the ``cuda`` backend's decoder reads them.
    """

    compute_capabilities: tuple[str, ...] = ()
    optimization_level: int = 3
    workspace_mib: int = 1024
    dla_core: int | None = None
    gpu_fallback: bool = False
    maps_last: bool = False


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph: -1 in ``shape`` is a dynamic axis; ``dtype`` as TensorRT spells it."""

    name: str
    shape: Shape
    dtype: str


@dataclass(frozen=True)
class EngineKey:
    """All inputs of one build; ``gpu`` is empty for TensorRT for RTX, which builds for capabilities.

    ``multiprocessors``: as many as were on, which an Orin's power modes change and kernels are tuned for.

    ``part`` is ``encoder``, ``decoder`` or ``network``; ``io`` says whether pictures are ``uint8`` or ``float``;
    ``profiles`` are the shapes of every input, one entry for each optimisation profile.
    """

    bundle: str
    part: Role
    io: SampleType
    precision: str
    graph_sha256: str
    target: str
    flavour: str
    version: str
    gpu: str
    compute_capabilities: tuple[str, ...]
    profiles: tuple[dict[str, ShapeRange], ...]
    settings: BuildSettings
    multiprocessors: int = 0

    @property
    def name(self) -> str:
        """A file name: the readable inputs, long ones cut, then a digest of them all."""
        device = "_".join(self.compute_capabilities)
        dla = "" if self.settings.dla_core is None else f"-dla{self.settings.dla_core}"
        words = (
            self.bundle,
            self.part,
            self.io,
            self.precision,
            self.target + dla,
            self.flavour + self.version,
        )
        readable = ".".join(
            re.sub(r"[^A-Za-z0-9_-]+", "_", word)[:LONGEST_WORD] for word in (*words, f"sm{device}")
        )
        return f"{readable}.{digest(asdict(self))[:20]}"


@dataclass(frozen=True)
class Proof:
    """The first runs on a device, against ONNX Runtime on the built-in picture; the worst of all ``shapes``."""

    psnr_db: float
    largest_level: int
    milliseconds: float
    device: str
    driver: str
    flavour: str
    version: str
    passed: bool
    shapes: tuple[str, ...] = ()


@dataclass(frozen=True)
class EngineManifest:
    """What lies beside an engine; ``sha256`` and ``bytes`` of the engine file, ``seconds`` of the build."""

    schema: int
    key: EngineKey
    sha256: str
    bytes: int
    seconds: float
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    built_at: str
    proof: Proof | None = None


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def digest(value: Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()
