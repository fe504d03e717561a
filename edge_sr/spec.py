"""Network descriptions, and the reading of TOML and JSON into frozen dataclasses.

A description says all that is needed to rebuild a network from its tensors. It lies beside a checkpoint as
``NAME.json``, in a model spec as TOML, and inside ``bundle.json``.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from edge_sr.errors import ConfigError, InputNotFoundError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")

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


def to_mapping(value: Any) -> dict[str, Any]:
    """The plain form of a dataclass, for JSON."""
    return dataclasses.asdict(value)


def load_toml(path: Path, cls: type[T]) -> T:
    """A TOML file as ``cls``; ``ConfigError`` names an unknown key, a missing one or a wrong type."""
    text = _read(path)
    try:
        table = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply to be read") from error
    except ValueError as error:  # as below
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    return from_mapping(cls, table, str(path))


def load_json(path: Path, cls: type[T]) -> T:
    """A JSON file as ``cls``; errors as ``load_toml``'s."""
    return from_mapping(cls, _json(path), str(path))


def load_network(path: Path) -> NetworkSpec | PublishedSpec:
    """A network's description of either kind, ``NAME.json``; errors as ``load_toml``'s."""
    table = _json(path)
    cls: type[NetworkSpec | PublishedSpec] = _chosen((NetworkSpec, PublishedSpec), table)
    return from_mapping(cls, table, str(path))


def _json(path: Path) -> Any:
    text = _read(path)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply to be read") from error
    except ValueError as error:  # of syntax, and of numbers with thousands of digits
        raise ConfigError(f"{path} is not valid JSON: {error}") from error


def from_mapping(cls: type[T], table: Any, where: str) -> T:
    """Build the frozen dataclass ``cls`` from plain data, nested ones included.

    Raises ``ConfigError`` for unknown keys, missing keys and values of a wrong type; ``where`` opens the message.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: expected a table of {cls.__name__}, found {table!r}")
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(table) - set(fields))
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}; known keys: {', '.join(fields)}")
    missing = [name for name, field in fields.items() if name not in table and _is_required(field)]
    if missing:
        raise ConfigError(f"{where}: missing key {missing[0]!r}")
    hints = typing.get_type_hints(cls)
    values = {name: _convert(hints[name], value, f"{where}: {name}") for name, value in table.items()}
    try:
        return cls(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputNotFoundError(f"no such file: {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _convert(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return from_mapping(typing.cast(type, hint), value, where)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(hint, value, where)
    if origin is tuple:
        return _convert_tuple(hint, value, where)
    if origin is dict:
        return _convert_dict(hint, value, where)
    if origin is typing.Literal:
        return _one_of(typing.get_args(hint), value, where)
    if hint is Any:
        return value
    return _checked(hint, value, where)


def _convert_union(hint: Any, value: Any, where: str) -> Any:
    """None stays None; a table goes to the first dataclass that knows all its keys, else to the first."""
    if value is None:
        return None
    inner = [argument for argument in typing.get_args(hint) if argument is not type(None)]
    return _convert(_chosen(inner, value), value, where)


def _chosen(classes: Sequence[Any], table: Any) -> Any:
    known = (cls for cls in classes if isinstance(table, Mapping) and _knows(cls, table))
    return next(known, classes[0])


def _knows(cls: Any, table: Mapping[str, Any]) -> bool:
    return dataclasses.is_dataclass(cls) and set(table) <= {field.name for field in dataclasses.fields(cls)}


def _convert_tuple(hint: Any, value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where} must be a list, found {value!r}")
    arguments = typing.get_args(hint)
    if arguments[-1] is Ellipsis:
        return tuple(_convert(arguments[0], item, where) for item in value)
    if len(arguments) != len(value):
        raise ConfigError(f"{where} must have {len(arguments)} entries, found {len(value)}")
    return tuple(_convert(kind, item, where) for kind, item in zip(arguments, value, strict=True))


def _convert_dict(hint: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a table, found {value!r}")
    kind = typing.get_args(hint)[1]
    return {str(key): _convert(kind, item, f"{where}.{key}") for key, item in value.items()}


def _one_of(known: tuple[Any, ...], value: Any, where: str) -> Any:
    if value not in known:
        raise ConfigError(f"{where} must be one of {', '.join(map(str, known))}, found {value!r}")
    return value


def _checked(hint: type, value: Any, where: str) -> Any:
    # bool is an int to Python; a description that says `channels = true` is still wrong.
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where} must be {hint.__name__}, found {value!r}")
    return value


def _require_positive(table: str, **values: int) -> None:
    for name, value in values.items():
        if not 1 <= value <= LARGEST:
            raise ConfigError(f"{table}.{name} must lie between 1 and {LARGEST}, found {value}")
