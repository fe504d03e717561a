"""``edge-sr export``: what it prints, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from support.calling import Command
from support.external_onnx import model

from edge_sr.bundle import read_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    onnx.save_model(model(top=255), tmp_path / "net.onnx")
    (tmp_path / "net.toml").write_text(
        'name = "mine"\npublished = "onnx"\nweights = "net.onnx"\noptions = { top = 255 }\n'
    )
    return tmp_path


def test_an_external_network_by_its_spec(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    export = Command("export", monkeypatch, capsys)
    answer = export(folder / "net.toml", "-o", folder / "out", "--json")
    assert answer.code == 0, answer.err
    assert "planes to large: RGB, NCHW float32, white at 255, x2" in answer.err
    assert "computed from the graph" in answer.err
    assert answer.json["name"] == read_bundle(folder / "out").name == "mine"


def test_what_contradicts_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    export = Command("export", monkeypatch, capsys)
    answer = export(folder / "net.onnx", "-o", folder / "out", "--precision", "fp16")
    assert (answer.code, "fp32" in answer.err) == (2, True)
    (folder / "torn.onnx").write_bytes((folder / "net.onnx").read_bytes()[:300])
    assert export(folder / "torn.onnx", "-o", folder / "out").code == 4
    assert export(folder / "none.onnx", "-o", folder / "out").code == 4
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ('layout = "nhwc"', "options: layout must be NCHW or NHWC, found 'nhwc'"),
        ("top = 2", "options: top must be 1 or 255, found 2"),
        ("channels = 4", "options: channels must be 3 or 1, found 4"),
    ],
)
def test_a_wrong_option_of_a_spec_is_named(
    folder: Path, option: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = (folder / "net.toml").read_text().replace("top = 255", option)
    (folder / "net.toml").write_text(spec)
    answer = Command("export", monkeypatch, capsys)(folder / "net.toml", "-o", folder / "out")
    assert answer.code == 4 and says in answer.err


def test_a_file_that_is_not_there_is_named_before_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    answer = Command("export", monkeypatch, capsys)(tmp_path / "absent.onnx", "-o", tmp_path / "out")
    assert answer.code == 4 and "absent.onnx" in answer.err


def test_an_external_network_is_measured_like_any_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Command("export", monkeypatch, capsys)(folder / "net.onnx", "-o", folder / "out").code == 0
    words = (
        "--input-size",
        "320x180",
        "--scale",
        "2",
        "--backend",
        "onnxruntime",
        "--precision",
        "fp32",
        "--json",
    )
    answer = Command("bench", monkeypatch, capsys)(folder / "out", *words)
    assert answer.code == 0, answer.err
    # Two 3 x 3 convolutions at LR, 3 to 8 and 8 to 12 channels.
    work = 9 * (3 * 8 + 8 * 12)
    assert answer.json["gflop_per_frame"] == pytest.approx(2e-9 * work * 320 * 180, abs=5e-4)
