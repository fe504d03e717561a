"""TOML and JSON into frozen dataclasses: unknown keys, missing keys and wrong types are errors."""

from __future__ import annotations

import dataclasses
import math
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from edge_sr.errors import ConfigError, InputNotFoundError
from edge_sr.files.untrusted_json import read_json

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")


def to_mapping(value: Any) -> dict[str, Any]:
    """The plain form of a dataclass, for JSON."""
    return dataclasses.asdict(value)


def load_toml(path: Path, cls: type[T]) -> T:
    """A TOML file as ``cls``; ``ConfigError`` names an unknown key, a missing one or a wrong type."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise InputNotFoundError(f"no such file: {path}") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply to be read") from error
    except ValueError as error:  # of text, syntax, and numbers with thousands of digits
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    _require_finite(table, str(path))
    return from_mapping(cls, table, str(path))


def _require_finite(value: Any, where: str) -> None:
    """TOML has words for infinity and for what is no number; no setting means either."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{where} must be a number, found {value}")
    if isinstance(value, dict):
        for key, entry in value.items():
            _require_finite(entry, f"{where}: {key}")
    if isinstance(value, list):
        for entry in value:
            _require_finite(entry, where)


def load_json(path: Path, cls: type[T], newest: int | None = None) -> T:
    """A JSON file as ``cls``; errors as ``load_toml``'s, and for a ``schema`` beyond the ``newest`` that is known."""
    table = _json(path)
    schema = table.get("schema") if isinstance(table, dict) else None
    # Before its keys are judged: which they are is what a newer schema changes.
    if newest is not None and isinstance(schema, int) and schema > newest:
        raise ConfigError(
            f"{path} was made by a newer Edge SR (schema {schema}, this one reads {newest}): update edge-sr"
        )
    return from_mapping(cls, table, str(path))


def load_json_of(path: Path, classes: Sequence[type[T]]) -> T:
    """A JSON file as the first of ``classes`` that knows all its keys; errors as ``load_toml``'s."""
    table = _json(path)
    cls: type[T] = _chosen(classes, table)
    return from_mapping(cls, table, str(path))


def _json(path: Path) -> Any:
    try:
        return read_json(path)
    except FileNotFoundError as error:
        raise InputNotFoundError(f"no such file: {path}") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # of syntax, depth, and numbers with thousands of digits
        raise ConfigError(f"{path} is not valid JSON: {error}") from error


def from_mapping(cls: type[T], table: Any, where: str) -> T:
    """Build the frozen dataclass ``cls`` from plain data, nested ones included.

    Raises ``ConfigError`` for unknown keys, missing keys and values of a wrong type; ``where`` opens the message.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: expected a table of {cls.__name__}, found {table!r}")
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    table = _renamed(table, fields, where)
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


def _renamed(
    table: Mapping[str, Any], fields: Mapping[str, dataclasses.Field[Any]], where: str
) -> dict[str, Any]:
    """The table with the present names of keys that had another one, a field's ``formerly``."""
    present = {
        field.metadata["formerly"]: name for name, field in fields.items() if "formerly" in field.metadata
    }
    for old in set(present) & set(table):
        if present[old] in table:
            raise ConfigError(f"{where}: {old!r} is the former name of {present[old]!r}: give one of them")
    return {present.get(key, key): value for key, value in table.items()}


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
        try:
            return float(value)
        except OverflowError as error:
            raise ConfigError(f"{where} is beyond all numbers of its kind") from error
    if hint is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where} must be {hint.__name__}, found {value!r}")
    return value
