"""What a run of moments does not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

UPSCALE = """
import sys
from edge_sr.backends import autotune
from edge_sr.backends.measurement import Measurement
from edge_sr.cli.app import main
times = {"onnxruntime fp32": 1.0, "openvino fp32": 2.0, "openvino bf16": 3.0}
autotune.stored = lambda *_: Measurement(times, True, 6, "2026-01-02T03:04:05+00:00")
sys.argv = ["edge-sr", "upscale", sys.argv[1], "--scale", "2", "--model", "diinn-nano"]
try:
    main()
finally:
    heavy = ("av", "openvino", "onnx", "torch", "edge_sr.backends.cuda.open", "edge_sr.video.film.film")
    print("loaded:", [name for name in heavy if name in sys.modules])
"""


def test_a_picture_loads_neither_pyav_nor_backends_that_do_not_compute_it(tmp_path: Path) -> None:
    Image.new("RGB", (16, 12)).save(tmp_path / "a.png")
    asked = [sys.executable, "-c", UPSCALE, str(tmp_path / "a.png")]
    result = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "loaded: []"
    assert (tmp_path / "a-32x24.png").is_file()
