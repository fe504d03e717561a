"""The workbench's scripts around a training run: packing crops, and the road to a GPU, tried on the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("matplotlib")

from edge_sr.training import progress

ROOT = Path(__file__).parents[3]
SPEC = """
name = "small"
[encoder]
kind = "residual"
channels = 8
blocks = 1
[decoder]
mode = 3
init_q = false
widths = [8]
bilinear_base = true
[training]
compile = false
branches = ["1x1", "identity", "1x1-3x3"]
[training.data]
crop = 96
validation = 1
scale_count = 4
[training.schedule]
batch = 1
patch = 12
scales = [1.1, 3.0]
far_share = 0.0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A spec, and a ``run`` folder with its packed crops."""
    (tmp_path / "small.toml").write_text(SPEC)
    for index in range(4):
        pixels = np.random.default_rng(index).integers(0, 256, (192, 192, 3), np.uint8)
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{index}.png")
    (tmp_path / "run").mkdir()
    words = [tmp_path / "small.toml", tmp_path / "in", "-o", tmp_path / "run" / "small.crops", "--mb", "1"]
    assert script("pack_crops.py", *words).returncode == 0
    return tmp_path


def script(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    runner = ["bash"] if name.endswith(".sh") else [sys.executable]
    bin_folder = str(Path(sys.executable).parent)
    command = [*runner, str(ROOT / "export" / name), *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": f"{bin_folder}:/usr/bin:/bin"}
    )


def test_packed_crops_are_no_larger_than_asked(folder: Path) -> None:
    assert (folder / "run" / "small.crops").stat().st_size <= 2**20


def test_packing_leaves_a_file_that_is_there_alone(folder: Path) -> None:
    crops = folder / "run" / "small.crops"
    before = crops.read_bytes()
    done = script("pack_crops.py", folder / "small.toml", folder / "in", "-o", crops)
    assert done.returncode == 1
    assert "exists" in done.stderr
    assert crops.read_bytes() == before


def test_a_run_that_was_cut_off_goes_on_by_the_same_command(folder: Path) -> None:
    words = [folder / "small.toml", folder / "run"]
    first = script("on_gpu.sh", *words, 0.01, "cpu")
    assert first.returncode == 0, first.stderr
    again = script("on_gpu.sh", *words, 0.02, "cpu")
    assert again.returncode == 0, again.stderr
    assert "resumed at step" in again.stderr
    described = json.loads((folder / "run" / "small.json").read_text())
    assert described["decoder"]["widths"] == [8]


def test_packed_pictures_are_a_folder_to_train_on(folder: Path) -> None:
    (folder / "in" / "files.tsv").write_text(
        "0.png\t1\tvalidation\n1.png\t1\n2.png\t1.5\n3.png\t3\nno.png\t1\n"
    )
    spec = folder / "small.toml"
    spec.write_text(SPEC.replace("validation = 1", 'validation = 1\nlisting = "files.tsv"'))
    (folder / "run" / "small.crops").unlink()
    packed = folder / "run" / "pictures"
    done = script("pack_pictures.py", spec, folder / "in", "-o", packed)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("skipped") == 2
    assert (
        packed.joinpath("files.tsv").read_text()
        == "00000.webp\t1\tvalidation\n00001.avif\t1\n00002.avif\t1\n"
    )
    kept, first = (Image.open(folder / "in" / "0.png"), Image.open(packed / "00000.webp"))
    assert np.array_equal(kept, first)
    assert Image.open(packed / "00002.avif").size == (128, 128)
    assert script("pack_pictures.py", spec, folder / "in", "-o", packed).returncode == 1
    trained = script("on_gpu.sh", spec, folder / "run", 0.01, "cpu")
    assert trained.returncode == 0, trained.stderr


def test_a_call_without_minutes_says_how_it_is_called(folder: Path) -> None:
    done = script("on_gpu.sh", folder / "small.toml", folder / "run")
    assert done.returncode == 2
    assert "on_gpu.sh SPEC FOLDER MINUTES" in done.stderr


def test_the_pace_is_said_once_after_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    now = iter([100.0, 104.0, 110.0, 115.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    pace = progress.Pace(50, said.append)
    for step in (51, 61, 91, 120):
        pace.tell(step)
    assert said == ["4.0 steps/s"]
