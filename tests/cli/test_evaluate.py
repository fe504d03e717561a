"""``edge-sr evaluate``: the JSON contract, the page, merging, and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from support.calling import Command

from edge_sr.tensors import reference_card

ROW = {"bundle", "precision", "scale", "psnr_y", "ssim_y", "psnr_rgb", "images"}


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command("evaluate", monkeypatch, capsys)


@pytest.fixture
def references(tmp_path: Path) -> Path:
    folder = tmp_path / "references"
    folder.mkdir()
    Image.fromarray(reference_card(61, 47)).save(folder / "card.png")
    return folder


def test_json_has_one_row_for_what_was_asked(evaluate: Command, references: Path) -> None:
    answer = evaluate(
        "diinn-nano", "diinn-edge", "--hr", references, "--scales", "2,1.5", "--precision", "fp32,fp16",
        "--backend", "onnxruntime", "--json",
    )  # fmt: skip
    assert answer.code == 0
    found = answer.json
    asked = [(b, p, s) for b in ("diinn-nano", "diinn-edge") for p in ("fp32", "fp16") for s in (2, 1.5)]
    assert [(row["bundle"], row["precision"], row["scale"]) for row in found["results"]] == asked
    assert all(set(row) == ROW for row in found["results"] + found["rivals"])
    assert {row["bundle"] for row in found["rivals"]} >= {"bicubic", "lanczos", "diinn-nano x2 + lanczos"}
    assert "bicubic" in found["protocol"] and found["machine"]["cores"] >= 1


def test_table_is_text(evaluate: Command, references: Path) -> None:
    answer = evaluate("diinn-nano", "--hr", references, "--scales", "2", "--backend", "onnxruntime")
    names = [line.split()[0] for line in answer.out.splitlines() if " x2 " in line]
    assert names == ["bicubic", "lanczos", "diinn-nano"]


def test_report_and_merge(evaluate: Command, references: Path, tmp_path: Path) -> None:
    pages = tmp_path / "one.html", tmp_path / "both.html"
    words = ("diinn-nano", "--hr", references, "--scales", "2", "--backend", "onnxruntime", "--json")
    first = evaluate(*words, "--report", pages[0])
    assert first.json["worst"][0]["crops"]["difference"].startswith("data:image/png;base64,")
    assert "data:image/png" in pages[0].read_text()
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(first.out)
    merged = evaluate("--merge", tmp_path / "a.json", tmp_path / "b.json", "--report", pages[1])
    assert (merged.code, merged.out.strip()) == (0, str(pages[1]))
    assert pages[1].read_text().count("<h3>Machine</h3>") == 2
    assert evaluate(*words, "--report", pages[0]).code == 2


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("diinn-nano",), 2, "--hr"),
        (("diinn-none", "--hr", "{hr}"), 2, "diinn-nano"),
        (("diinn-nano", "--hr", "{hr}/absent"), 4, "nothing at"),
        (("diinn-nano", "--hr", "{hr}", "--scales", "2,x"), 2, "scale"),
        (("diinn-nano", "--hr", "{hr}", "--scales", "2,2.0"), 2, "twice"),
        (("diinn-nano", "--hr", "{hr}", "--precision", "fp8"), 2, "fp8"),
        (("diinn-nano", "--hr", "{hr}", "--scales", "16"), 4, "too small"),
        (("--merge", "a.json"), 2, "--report"),
        (("--merge", "{hr}/card.png", "--report", "{hr}/page.html"), 4, "card.png"),
        (("diinn-nano", "--hr", "{hr}", "--report", "{hr}/absent/page.html"), 2, "--report"),
    ],
)
def test_refusals(evaluate: Command, references: Path, words: tuple[str, ...], code: int, says: str) -> None:
    answer = evaluate(*(word.format(hr=references) for word in words))
    assert answer.code == code and answer.out == ""
    assert answer.err.splitlines()[-1].startswith("edge-sr: ") and says in answer.err
