"""Every key that a command's JSON has stands in the reference page of formats, which promises them."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.calling import Command
from support.films import Making, make_film

from edge_sr.benchmark import bench, peak
from edge_sr.cli import build
from edge_sr.evaluation.results import Evaluation, Row
from edge_sr.tensors import reference_card

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "formats.md"
NANO = ["--backend", "onnxruntime", "--precision", "int8"]
# What the page says in words.
WORDS = {
    "sizes": ("input_size", "output_size"),
    "model": ("model",),
    "backend": ("backend", "encoder_backend"),
    "precision": ("precision",),
}


def promised(section: str) -> set[str]:
    """The keys that the page names under a heading, or in a row of its last table."""
    text = PAGE.read_text()
    found = re.search(rf"^### {section}\n(.+?)^##", text, re.DOTALL | re.MULTILINE)
    row = re.search(rf"^\| `{section}` \|(.+)$", text, re.MULTILINE)
    told = found or row
    assert told is not None, f"formats.md says nothing of {section}"
    spoken = {key for word, keys in WORDS.items() if word in told[1] for key in keys}
    return spoken | set(re.findall(r"`([a-z_0-9]+)`", told[1]))


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "SECONDS", 0.01)
    monkeypatch.setattr(peak.measure, "__defaults__", (0.01,))

    def of(command: str, *words: object) -> dict[str, Any]:
        answer = Command(command, monkeypatch, capsys)(*words, "--json")
        assert answer.code == 0, answer.err
        found: dict[str, Any] = answer.json
        return found

    return of


def test_upscale(keys: Any) -> None:
    film = make_film(Path("film.mkv"), Making(size=(32, 24), frames=6, audio=("eng",)))
    words = [film, "--scale", "2", "--model", "diinn-nano", *NANO]
    for more in (["--dry-run"], ["-o", "out.mkv"], ["-o", "out.mkv", "--resume"]):
        assert set(keys("upscale", *words, *more)) <= promised("upscale")


def test_camera(keys: Any) -> None:
    film = make_film(Path("film.mkv"), Making(size=(32, 24), frames=12))
    words = [film, "-o", "out.mkv", "--scale", "2", "--model", "diinn-nano", *NANO]
    found = keys("camera", *words)
    assert set(found) <= promised("camera")
    assert found["precision"] == "int8" and found["placement"] == "int8-cpu"
    assert found["encoder_backend"] == "onnxruntime"


def test_evaluate(keys: Any) -> None:
    Path("hr").mkdir()
    for number in range(2):
        Image.fromarray(np.roll(reference_card(48, 32), number, axis=0)).save(f"hr/{number}.png")
    found = keys("evaluate", "diinn-nano", "--hr", "hr", "--scales", "2", *NANO)
    assert set(found) <= promised("evaluate")
    assert {key for row in (*found["results"], *found["rivals"]) for key in row} <= promised("evaluate")


def test_evaluate_in_all_its_forms() -> None:
    fields = (*dataclasses.fields(Evaluation), *dataclasses.fields(Row))
    assert {field.name for field in fields} <= promised("evaluate")


def test_export(keys: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    onnx = pytest.importorskip("onnx")
    from support.external_onnx import model

    onnx.save_model(model(), tmp_path / "net.onnx")
    assert set(keys("export", "net.onnx", "-o", "net")) <= promised("export")


def test_build_of_a_fleet(capsys: pytest.CaptureFixture[str]) -> None:
    row = Row("diinn-nano", "fp16", 2.0, 30.0, 0.9, 30.0, 1)
    build._show([], [], True, [Evaluation("Set5", "1", {}, (row,), (), (), ())])
    assert set(json.loads(capsys.readouterr().out)) <= promised("build")


def test_bench(keys: Any) -> None:
    found = keys("bench", "diinn-nano", "--input-size", "24x16", "--scale", "2", *NANO)
    assert set(found) <= promised("bench")


@pytest.mark.parametrize("command", ["models", "doctor"])
def test_lists(keys: Any, command: str) -> None:
    found = keys(command)
    assert set(found) <= promised(command)
    entries = [entry for listed in found.values() if isinstance(listed, list) for entry in listed]
    assert entries
    assert {key for entry in entries if isinstance(entry, dict) for key in entry} <= promised(command)
