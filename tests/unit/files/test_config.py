"""Configuration is read from regular files alone, and what is wrong with one is said."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from edge_sr.errors import ConfigError, InputNotFoundError
from edge_sr.files.config import load_json, load_toml


@dataclasses.dataclass(frozen=True)
class Named:
    name: str


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_that_nobody_writes_to_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bundle.json")
    with pytest.raises(ConfigError, match="not a regular file"):
        load_json(tmp_path / "bundle.json", Named)


@pytest.mark.parametrize("load", [load_json, load_toml])
@pytest.mark.parametrize("content", [b"\xff\xfe{}", b"{", b"[" * 100_000, b"x = " + b"[" * 100_000])
def test_what_cannot_be_read_is_named(tmp_path: Path, load: object, content: bytes) -> None:
    path = tmp_path / "named"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="named"):
        load(path, Named)  # type: ignore[operator]


@pytest.mark.parametrize(("load", "text"), [(load_json, '{"name": "x"}'), (load_toml, 'name = "x"')])
def test_editors_may_mark_utf_8(tmp_path: Path, load: object, text: str) -> None:
    (tmp_path / "named").write_text(text, encoding="utf-8-sig")
    assert load(tmp_path / "named", Named) == Named("x")  # type: ignore[operator]


@pytest.mark.parametrize("load", [load_json, load_toml])
def test_a_missing_file_is_no_such_file(tmp_path: Path, load: object) -> None:
    with pytest.raises(InputNotFoundError, match="no such file"):
        load(tmp_path / "absent", Named)  # type: ignore[operator]


@dataclasses.dataclass(frozen=True)
class Measured:
    value: float = 0.0
    more: tuple[float, ...] = ()


@pytest.mark.parametrize(
    "text", ["value = nan", "value = -inf", "more = [1.0, inf]", "value = 1" + 400 * "0"]
)
def test_a_setting_is_a_number(tmp_path: Path, text: str) -> None:
    path = tmp_path / "measured.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"measured\.toml: (value|more)"):
        load_toml(path, Measured)
