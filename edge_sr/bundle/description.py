"""What ``bundle.json`` says: the network, where its weights came from, and every graph with its ends."""

from __future__ import annotations

import dataclasses
from typing import Any

from edge_sr.errors import ConfigError
from edge_sr.kinds import BundleKind, Role, SampleType, StoredPrecision
from edge_sr.spec import NetworkSpec, PublishedSpec

SCHEMA = 1
DESCRIPTION = "bundle.json"
# What numbers of a description can mean anything.
BOUNDS = {
    "parameters": (0, 1 << 40),
    "radius": (0, 1 << 16),
    "working_bytes": (1, 1 << 32),
    "scale": (1, 64),
    "multiple": (1, 1 << 12),
}


@dataclasses.dataclass(frozen=True)
class Port:
    """One input or output of a graph; a dynamic axis is given by its name."""

    name: str
    dtype: str
    shape: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Graph:
    """One graph file. ``io``: the sample type of its pictures; ``psnr_db`` and ``levels`` compare with FP32."""

    file: str
    role: Role
    precision: StoredPrecision
    io: SampleType
    sha256: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    psnr_db: float | None = None
    levels: int | None = None


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the weights came from: file name and SHA-256 of the checkpoint."""

    file: str
    sha256: str
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Weights:
    """The decoder's weights as plain arrays, ``decoder.npz``."""

    file: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Description:
    """The content of ``bundle.json``.

    ``kind``: ``implicit`` (encoder and decoder graphs, any scale), ``fixed`` (one ``network`` graph, times
    ``scale``) or ``refine`` (one ``network`` graph over a picture that was enlarged first). ``radius``: LR pixels
    around an output's nearest LR pixel that can change it, computed from the graph; ``halo``: output pixels that
    a decoder eats on each side; ``working_bytes``: live activations for one pixel of the first graph's input, an
    upper estimate; ``whole_frames``: its field has no bound, so frames are not cut; ``multiple``:
    sides that the graph takes are multiples of it, others are padded at the right and the bottom by mirrored edges
    and the result is cropped. ``macs``: multiply-adds for
    each pixel of the input and for each of the output, where ``network`` does not tell them. ``parity``: the
    figures that the export measured. ``extra``: what later stages add (scale tables, recipes).
    """

    schema: int
    kind: BundleKind
    name: str
    version: str
    network: NetworkSpec | PublishedSpec
    parameters: int
    radius: int
    working_bytes: int
    source: Source
    graphs: tuple[Graph, ...]
    scale: int = 1
    halo: int = 0
    whole_frames: bool = False
    multiple: int = 1
    macs: tuple[int, ...] = ()
    weights: Weights | None = None
    default_for: tuple[str, ...] = ()
    parity: dict[str, Any] = dataclasses.field(default_factory=dict, hash=False)
    extra: dict[str, Any] = dataclasses.field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ConfigError(
                f"schema {self.schema} is not the {SCHEMA} that this version reads; export it again"
            )
        for name, (least, most) in BOUNDS.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(f"{name} must lie between {least} and {most}, found {getattr(self, name)}")
        if self.halo != self._halo_of_network:
            raise ConfigError(f"halo must be {self._halo_of_network} for this network, found {self.halo}")
        if any(count < 0 for count in self.macs):
            raise ConfigError(f"macs must not be negative, found {list(self.macs)}")
        if not self.graphs:
            raise ConfigError("graphs must list at least one, found none")

    @property
    def _halo_of_network(self) -> int:
        """Mode 4's last layer is 3 x 3 on the output's grid, every other's 1 x 1."""
        return int(isinstance(self.network, NetworkSpec) and self.network.decoder.mode == 4)
