"""``edge-sr models``."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.calling import Command

from edge_sr.bundle import shipped_bundles


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command("models", monkeypatch, capsys)


def test_json_names_every_shipped_model_the_default_first(models: Command) -> None:
    answer = models("--json")
    found = answer.json["models"]
    assert answer.code == 0 and answer.err == ""
    assert [entry["name"] for entry in found] == [bundle.name for bundle in shipped_bundles()]
    assert found[0]["name"] == "diinn-edge"
    for entry in found:
        assert set(entry) == {
            "name",
            "version",
            "parameters",
            "precisions",
            "placements",
            "path",
            "default_for",
        }
        assert set(entry["precisions"]) <= {"fp32", "fp16", "int8"}
        assert set(entry["placements"]) == {"int8", "int8-cpu"}
        assert (Path(entry["path"]) / "bundle.json").is_file()
        assert "fp32" in entry["precisions"] and entry["parameters"] > 0


def test_table_has_a_line_each(models: Command) -> None:
    lines = models().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "name",
        *(bundle.name for bundle in shipped_bundles()),
        "native",
    ]
    assert "bf16" in lines[-1]
