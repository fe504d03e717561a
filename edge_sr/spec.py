"""Network descriptions.

A description says all that is needed to rebuild a network from its tensors. It lies beside a checkpoint as
``NAME.json``, in a model spec as TOML, and inside ``bundle.json``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from edge_sr.errors import ConfigError
from edge_sr.files.config import load_json_of

# More channels, blocks or layers than this no network has.
LARGEST = 1 << 16

ENCODER_KINDS = ("residual", "edsr", "rdn")
DECODER_MODES = (1, 2, 3, 4)


@dataclasses.dataclass(frozen=True)
class EncoderSpec:
    """What turns a picture into features ``F``, ``channels x h x w``.

    ``blocks``: residual blocks (``residual``, ``edsr``) or dense blocks (``rdn``). ``layers`` and ``growth``
    describe an RDN's dense blocks (He et al.'s configuration B: 16 blocks, 8 layers, growth 64) and stay 0
    elsewhere.
    """

    kind: str
    channels: int
    blocks: int
    layers: int = 0
    growth: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ENCODER_KINDS:
            raise ConfigError(f"encoder.kind must be one of {', '.join(ENCODER_KINDS)}, found {self.kind!r}")
        dense = self.kind == "rdn"
        _require_positive("encoder", channels=self.channels, blocks=self.blocks)
        if dense:
            _require_positive("encoder", layers=self.layers, growth=self.growth)
        elif self.layers or self.growth:
            raise ConfigError(f"encoder.layers and encoder.growth belong to rdn only, found in {self.kind}")


@dataclasses.dataclass(frozen=True)
class DecoderSpec:
    """DIINN's decoder: ``mode`` 1 to 4, the widths of its layers, and what surrounds them."""

    mode: int
    init_q: bool
    widths: tuple[int, ...]
    bilinear_base: bool = False

    def __post_init__(self) -> None:
        if self.mode not in DECODER_MODES:
            raise ConfigError(f"decoder.mode must be 1, 2, 3 or 4, found {self.mode!r}")
        if not self.widths:
            raise ConfigError("decoder.widths must name at least one layer, found none")
        _require_positive("decoder", **{f"widths[{i}]": width for i, width in enumerate(self.widths)})

    @property
    def modulated_by_synthesis(self) -> bool:
        """Whether ``k_i`` takes ``q_{i-1}`` as an input (modes 3 and 4)."""
        return self.mode >= 3

    @property
    def splits(self) -> bool:
        """Whether content terms can move to LR: never with ``init_q``, where content varies per output pixel."""
        return not self.init_q


@dataclasses.dataclass(frozen=True)
class NetworkSpec:
    """One whole network."""

    name: str
    encoder: EncoderSpec
    decoder: DecoderSpec
    network: str = "diinn"
    parameters: int = 0

    def __post_init__(self) -> None:
        if self.network != "diinn":
            raise ConfigError(f"network must be 'diinn', found {self.network!r}")

    @property
    def map_channels(self) -> int:
        """Channels that the encoder graph hands over: one for each modulation unit, or ``F`` itself."""
        return sum(self.decoder.widths) if self.decoder.splits else self.encoder.channels


@dataclasses.dataclass(frozen=True)
class PublishedSpec:
    """Another network of the field, ``network`` by name; ``options`` are known to its family (edge_sr.models)."""

    name: str
    network: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    parameters: int = 0

    def __post_init__(self) -> None:
        if self.network == "diinn":
            raise ConfigError("a diinn network is described by encoder and decoder, found options")


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """A model spec, ``export/models/*.toml``: a network, its weights, and how it is trained.

    DIINN is described by ``encoder`` and ``decoder``, other networks by ``published``'s name and ``options``.
    ``weights`` is relative to the spec's own folder. ``default_for`` names the uses it is the default of.
    ``training`` is read by the trainer, which knows its keys.
    """

    name: str
    encoder: EncoderSpec | None = None
    decoder: DecoderSpec | None = None
    published: str = ""
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    version: str = "1"
    weights: str = ""
    default_for: tuple[str, ...] = ()
    training: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        described = self.encoder is not None and self.decoder is not None
        if described == bool(self.published) or (self.options and not self.published):
            raise ConfigError("give encoder and decoder (DIINN), or published and options (another network)")

    def network(self) -> NetworkSpec | PublishedSpec:
        """The network that the spec describes."""
        return PublishedSpec(self.name, self.published, self.options) if self.published else self.diinn()

    def diinn(self) -> NetworkSpec:
        """The DIINN that the spec describes; ``ConfigError`` when it describes another network."""
        if self.encoder is None or self.decoder is None:
            raise ConfigError(f"{self.name}: expected encoder and decoder (DIINN), found {self.published}")
        return NetworkSpec(self.name, self.encoder, self.decoder)


def load_network(path: Path) -> NetworkSpec | PublishedSpec:
    """A network's description of either kind, ``NAME.json``; errors as ``load_toml``'s."""
    classes: tuple[type[NetworkSpec | PublishedSpec], ...] = (NetworkSpec, PublishedSpec)
    return load_json_of(path, classes)


def _require_positive(table: str, **values: int) -> None:
    for name, value in values.items():
        if not 1 <= value <= LARGEST:
            raise ConfigError(f"{table}.{name} must lie between 1 and {LARGEST}, found {value}")
