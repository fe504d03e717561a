"""The pages of model specs and recipes have every key of the files that they describe, with its default."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from edge_sr.calibration.recipe import SCALES, Budget, Recipe
from edge_sr.spec import DecoderSpec, EncoderSpec, ModelSpec
from edge_sr.training.spec import DataSpec, ScheduleSpec, TrainingSpec

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
TABLES = {
    "Network": ModelSpec,
    "`[encoder]`": EncoderSpec,
    "`[decoder]`": DecoderSpec,
    "`[training]`": TrainingSpec,
    "`[training.data]`": DataSpec,
    "`[training.schedule]`": ScheduleSpec,
}


def rows(text: str) -> dict[str, str]:
    """Default by key, of a table whose rows may hold several of either, separated by commas."""
    found = {}
    for names, default in re.findall(r"^\| (`.+?`) \| (.*?) ?\|", text, re.MULTILINE):
        keys = [key for key in re.findall(r"`([^`]+)`", names) if not key.startswith("[")]
        values = default.split(", ") if len(keys) > 1 and ", " in default else [default] * len(keys)
        found |= dict(zip(keys, values, strict=True))
    return found


def expected(field: dataclasses.Field[Any]) -> str:
    """The default as TOML has it; nothing where there is none or where it is a table of its own."""
    plain = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    if plain is dataclasses.MISSING or plain is None or dataclasses.is_dataclass(plain):
        return ""
    return toml(plain)


def toml(value: Any) -> str:
    if isinstance(value, (bool, str)):
        return f'"{value}"' if isinstance(value, str) else str(value).lower()
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(toml, value))}]"
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, (int, float)) else str(value)


def required(cls: type[Any], kept: set[str]) -> dict[str, str]:
    return {field.name: expected(field) for field in dataclasses.fields(cls) if field.name not in kept}


@pytest.mark.parametrize("heading", TABLES)
def test_model_specs(heading: str) -> None:
    text = (REFERENCE / "specs.md").read_text(encoding="utf-8")
    section = re.search(rf"^#+ {re.escape(heading)}\n(.+?)(?=^#|\Z)", text, re.DOTALL | re.MULTILINE)
    assert section is not None
    told = {key: default.replace("`", "") for key, default in rows(section[1]).items()}
    assert told == required(TABLES[heading], {"data", "schedule"})


def test_recipes() -> None:
    text = (REFERENCE / "recipes.md").read_text(encoding="utf-8")
    told = {key: default.strip("`") for key, default in rows(text).items()}
    wanted = required(Recipe, {"budget"}) | required(Budget, set())
    assert told == wanted | {"scales": ", ".join(SCALES)}
