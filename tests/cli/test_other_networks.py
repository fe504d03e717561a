"""Other networks than DIINN by every command: exported from a checkpoint, timed, measured, calibrated and built."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from PIL import Image
from support.calling import Command
from support.networks import LAYOUTS
from support.scenes import write_scenes

from edge_sr.benchmark import bench as work
from edge_sr.benchmark import peak
from edge_sr.tensors import reference_card

SPEC = """
name = "{name}"
published = "{name}"
weights = "net.pth"
options = {options}
"""
RECIPE = """
method = "minmax"
range_frames = 2
loss_frames = 2
synthetic_images = 1
crop = 64
scales = ["2"]
[budget]
mean_db = 20.0
worst_db = 60.0
"""


@pytest.mark.parametrize(("name", "options"), [("fsrcnn", "{ scale = 2 }"), ("vdsr", "{}")])
def test_every_command(
    name: str,
    options: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def edge_sr(*words: object) -> dict[str, object]:
        answer = Command(str(words[0]), monkeypatch, capsys)(*words[1:], "--json")
        assert answer.code == 0, answer.err
        found: dict[str, object] = answer.json
        return found

    monkeypatch.setenv("EDGE_SR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(work, "SECONDS", 0.01)
    monkeypatch.setattr(peak.measure, "__defaults__", (0.01,))
    layout, card, bundle = LAYOUTS[name], tmp_path / "card.png", tmp_path / "bundle"
    layout.write("narrow", tmp_path / "net.pth")
    (tmp_path / "net.toml").write_text(SPEC.format(name=name, options=options))
    Image.fromarray(reference_card(61, 47)).save(card)

    made = edge_sr("export", tmp_path / "net.toml", "-o", bundle)
    assert made["parameters"] == sum(p.numel() for p in layout.random("narrow").parameters())
    timed = edge_sr("bench", bundle, "--input-size", "24x16", "--plot", tmp_path / "bench.svg")
    assert float(str(timed["gflop_per_frame"])) > 0
    measured = edge_sr("evaluate", bundle, "--hr", card, "--scales", "2,2.5")
    rows = measured["results"]
    assert isinstance(rows, list)
    assert [(row["network"], row["scale"]) for row in rows] == [(name, 2), (name, 2.5)]
    edge_sr("upscale", card, "-o", tmp_path / "out.png", "--size", "100x90", "--model", bundle)
    assert np.asarray(Image.open(tmp_path / "out.png")).shape == (90, 100, 3)
    int8 = tmp_path / "int8"
    (tmp_path / "quick.toml").write_text(RECIPE)
    words = ("calibrate", bundle, "--frames", write_scenes(tmp_path / "scenes", 4), "-o", int8)
    lossy = edge_sr(*words, "--recipe", tmp_path / "quick.toml")
    assert lossy["precisions"] == ["fp32", "fp16", "int8"]
    measured = edge_sr("evaluate", int8, "--hr", card, "--scales", "2", "--precision", "int8,fp32")
    rows = measured["results"]
    assert isinstance(rows, list)
    assert abs(rows[0]["psnr_y"] - rows[1]["psnr_y"]) < 0.5
    pytest.importorskip("tensorrt_rtx")
    built = edge_sr("build", int8, "--target", "rtx-40", "--precision", "fp16,int8", "--sizes", "64x48")
    engines = built["engines"]
    assert isinstance(engines, list)
    assert [(engine["part"], engine["precision"]) for engine in engines] == [
        ("network", "fp16"),
        ("network", "int8"),
    ]
