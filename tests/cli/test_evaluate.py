"""``edge-sr evaluate``: the JSON contract, the page, merging, and refusals."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.calling import Command

from edge_sr.errors import DiskFullError
from edge_sr.evaluation.crops import CROP_NAMES
from edge_sr.files import atomic
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


def test_a_precision_that_is_lacking_is_told_before_anything_is_measured(
    evaluate: Command, references: Path
) -> None:
    answer = evaluate(
        "diinn-nano", "--hr", references, "--scales", "2", "--precision", "fp32,fp64", "--backend", "onnxruntime",
    )  # fmt: skip
    assert (answer.code, answer.out) == (2, "")
    assert "fp64" in answer.err and "x2" not in answer.err


def test_table_is_text(evaluate: Command, references: Path) -> None:
    answer = evaluate("diinn-nano", "--hr", references, "--scales", "2", "--backend", "onnxruntime")
    names = [line.split()[0] for line in answer.out.splitlines() if " x2 " in line]
    assert names == ["bicubic", "lanczos", "diinn-nano"]
    assert not re.search("(bicubic|lanczos) fp32", answer.out)


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


def test_figures_are_told_though_the_page_finds_no_room(
    evaluate: Command, references: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _content: bytes) -> None:
        raise DiskFullError(f"no space left: {path}")

    monkeypatch.setattr(atomic, "write_whole", full)
    words = ("diinn-nano", "--hr", references, "--scales", "2", "--backend", "onnxruntime", "--json")
    answer = evaluate(*words, "--precision", "fp32, fp16", "--report", tmp_path / "page.html")
    assert answer.code == 5
    assert [row["precision"] for row in answer.json["results"]] == ["fp32", "fp16"]
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert "can be written to" in evaluate(*words, "--report", tmp_path / "page.html").err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names of any bytes")
def test_a_folder_whose_name_is_of_another_encoding(
    evaluate: Command, references: Path, tmp_path: Path
) -> None:
    renamed = references.rename(tmp_path / os.fsdecode(b"hr\xe9"))
    page = tmp_path / "page.html"
    words = ("--scales", "2", "--backend", "onnxruntime", "--report", page)
    answer = evaluate("diinn-nano", "--hr", renamed, *words)
    assert answer.code == 0 and "hr?" in page.read_text(encoding="utf-8")


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["results"].clear(),
        lambda found: found["results"][0].update(scale=float("nan")),
        lambda found: found["results"][0].update(psnr_y=float("nan")),
        lambda found: found["results"][0].update(images=0),
        lambda found: found["speed"][0].update(encoder_ms=0, decoder_ms=0),
        lambda found: found["speed"][0].update(decoder_ms=-1),
        lambda found: found["speed"][0].update(decoder_ms=float("inf")),
        lambda found: found["worst"][0].update(box=[1, 2, 3]),
        lambda found: found["worst"][0]["crops"].pop("original"),
        lambda found: found["worst"][0]["crops"].update(network='x" onerror="alert(1)'),
        lambda found: found["worst"][0]["crops"].update(network="data:image/svg+xml;base64,AAAA"),
    ],
)
def test_wrong_json_is_refused_in_a_line(evaluate: Command, tmp_path: Path, change: Change) -> None:
    row = {"bundle": "b", "precision": "fp32", "scale": 2}
    found: dict[str, Any] = {
        "set": "lone \ud800",
        "protocol": "p",
        "machine": {},
        "results": [{**row, "psnr_y": 30, "ssim_y": 1, "psnr_rgb": None, "images": 1}],
        "rivals": [],
        "speed": [{**row, "backend": "native", "encoder_ms": 1, "decoder_ms": 0}],
        "worst": [
            {
                **row,
                "picture": "a",
                "psnr_y": 30,
                "box": [0, 0, 8, 8],
                "crops": dict.fromkeys(CROP_NAMES, "data:image/png;base64,iVBORw0KGgo="),
            }
        ],
        "layers": [],
    }
    file, page = tmp_path / "a.json", tmp_path / "page.html"
    file.write_text(json.dumps(found))
    assert evaluate("--merge", file, "--report", page).code == 0
    page.unlink()
    change(found)
    file.write_text(json.dumps(found))
    answer = evaluate("--merge", file, "--report", page)
    assert (answer.code, len(answer.err.splitlines())) == (4, 1) and "a.json" in answer.err
    assert not page.exists()


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
        (("--merge", "a.json", "--report", "p.html", "--tta", "--scales", "2"), 2, "found --scales, --tta"),
        (("--merge", "a.json", "--report", "p.html", "--json", "--cluster", "local"), 2, "--cluster, --json"),
        (("diinn-nano", "--hr", "{hr}", "--allow-mixed"), 2, "--cluster"),
        (("--merge", "{hr}/card.png", "--report", "{hr}/page.html"), 4, "card.png"),
        (("diinn-nano", "--hr", "{hr}", "--report", "{hr}/absent/page.html"), 2, "--report"),
    ],
)
def test_refusals(evaluate: Command, references: Path, words: tuple[str, ...], code: int, says: str) -> None:
    answer = evaluate(*(word.format(hr=references) for word in words))
    assert answer.code == code and answer.out == ""
    assert answer.err.splitlines()[-1].startswith("edge-sr: ") and says in answer.err
