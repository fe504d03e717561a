"""``require("package")`` is an import too, which the linter cannot see: the same contracts hold for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
tomllib = pytest.importorskip("tomllib")


def contracts() -> list[dict[str, Any]]:
    described = tomllib.loads((ROOT / "pyproject.toml").read_text())
    kept: list[dict[str, Any]] = described["tool"]["importlinter"]["contracts"]
    return [one for one in kept if one["type"] == "forbidden" and one["source_modules"] == ["edge_sr"]]


def required() -> Iterator[tuple[str, str]]:
    """Module and package of every call whose result is used; what only asks whether a package is there imports none."""
    for path in sorted((ROOT / "edge_sr").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        tree = ast.parse(path.read_text())
        asked = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            named = (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "require"
            )
            if named and id(node) not in asked and isinstance(node.args[0], ast.Constant):
                yield module, str(node.args[0].value)


def allowed(module: str, package: str, patterns: list[str]) -> bool:
    return any(
        re.fullmatch(re.escape(who).replace(r"\*\*", r"[\w.]+"), module) and what == package
        for who, what in (pattern.split(" -> ") for pattern in patterns)
    )


def test_what_is_required_by_name_keeps_the_contracts() -> None:
    found = list(required())
    assert ("edge_sr.backends.openvino.core", "openvino") in found
    for contract in contracts():
        for module, name in found:
            package = name.split(".")[0]
            if package in contract["forbidden_modules"]:
                assert allowed(module, package, contract["ignore_imports"]), (contract["name"], module, name)
