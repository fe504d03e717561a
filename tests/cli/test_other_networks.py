"""Other networks than DIINN by every command: exported from a checkpoint, timed, measured, built and run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from calling import Command
from networks import LAYOUTS
from PIL import Image

from edge_sr.evaluation import bench as work
from edge_sr.runtime import peak
from edge_sr.tensors import reference_card

SPEC = """
name = "{name}"
published = "{name}"
weights = "net.pth"
options = {options}
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
    refused = Command("calibrate", monkeypatch, capsys)(bundle, "--frames", card, "-o", tmp_path / "int8")
    assert (refused.code, len(refused.err.splitlines())) == (4, 1)
    assert "calibrate takes an encoder and a decoder" in refused.err
    pytest.importorskip("tensorrt_rtx")
    built = edge_sr("build", bundle, "--target", "rtx-40", "--precision", "fp16", "--sizes", "64x48")
    engines = built["engines"]
    assert isinstance(engines, list)
    assert [engine["part"] for engine in engines] == ["network"]
