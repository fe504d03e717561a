"""``edge-sr train``: small real runs, killed, resumed, refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.calling import Answer, Command

from edge_sr.errors import CheckpointError
from edge_sr.files.claims import claimed, lock_path
from edge_sr.files.config import load_toml
from edge_sr.spec import ModelSpec
from edge_sr.tensors import reference_card

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from edge_sr.training.limit import Limit
from edge_sr.training.run import TrainingRun

pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[2]
SPEC = """
name = "tiny"

[encoder]
kind = "residual"
channels = 8
blocks = 1

[decoder]
mode = {mode}
init_q = false
widths = [8, 8]
bilinear_base = true

[training]
steps = 24
validate_every = 8
save_seconds = 0
compile = false

[training.data]
crop = 96
cache_mb = 1
validation = 1
scale_count = 5
degradation = "{degradation}"

[training.schedule]
batch = 2
patch = 10
samples = 2
warmup = 4
kernel_rate = 2e-3
luma_share = 0.5
psnr_from = 0.5
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(SPEC.format(mode=3, degradation="none"))
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    generator = np.random.default_rng(2)
    for index in range(3):
        card = reference_card(128, 112).astype(np.int16) + generator.integers(-20, 20, (112, 128, 3))
        Image.fromarray(card.clip(0, 255).astype(np.uint8)).save(folder / f"{index}.png")
    return folder


def command(spec: Path, images: Path, output: Path, *words: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "edge_sr",
        "train",
        str(spec),
        "--images",
        str(images),
        "-o",
        str(output),
        *words,
    ]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def train_apart(*words: Any) -> subprocess.CompletedProcess[str]:
    """A run in a process of its own."""
    line = command(*words)
    return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, env=environment(), check=False)


Train = Callable[..., Answer]


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Train]:
    """A run in this process, which has PyTorch already."""
    run, threads = Command("train", monkeypatch, capsys), torch.get_num_threads()
    torch.set_num_threads(1)
    yield lambda spec, images, output, *words: run(spec, "--images", images, "-o", output, *words)
    torch.set_num_threads(threads)


def tensors(checkpoint: Path) -> dict[str, Any]:
    from edge_sr.models.checkpoint import load_checkpoint

    return load_checkpoint(checkpoint).tensors


def same_weights(first: Path, second: Path) -> bool:
    expected, found = tensors(first), tensors(second)
    return all(torch.equal(expected[key], found[key]) for key in expected)


def test_a_run_writes_weights_curve_and_one_json_object(
    spec: Path, images: Path, tmp_path: Path, train: Train
) -> None:
    output = tmp_path / "out" / "tiny.safetensors"
    done = train_apart(spec, images, output, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["steps"] == 24
    assert set(result["psnr"]) == {"x2", "x3", "x4"}
    assert "validation x2" in done.stderr
    first, *later = [line for line in done.stderr.splitlines() if line.startswith("step ")]
    assert "left" not in first and "left" in later[-1]
    assert Image.open(result["curve"]).size[0] > 100
    assert output.with_suffix(".json").is_file()
    assert set(tensors(output)) > {"encoder.head.weight", "decoder.last_layer.bias"}
    again = train(spec, images, output)
    assert again.code == 2
    assert "--resume" in again.err


@pytest.mark.skipif(sys.platform == "win32", reason="no file locks here")
def test_an_output_has_one_run_at_a_time(spec: Path, images: Path, tmp_path: Path, train: Train) -> None:
    output = tmp_path / "new" / "tiny.safetensors"
    with claimed(output):
        second = train_apart(spec, images, output)
        assert (second.returncode, second.stdout) == (2, "")
        assert second.stderr.startswith(f"edge-sr: another run is writing {output}: wait")
    # What a killed run leaves is a file that nobody holds.
    lock_path(output).touch()
    assert train(spec, images, output, "--steps", "1").code == 0
    assert not lock_path(output).exists()


@pytest.mark.parametrize("suffix", [".json", ".png", ".scales.json"])
def test_what_lies_where_a_run_writes_is_left_and_the_run_refused(
    spec: Path, images: Path, tmp_path: Path, suffix: str, train: Train
) -> None:
    theirs, lock = tmp_path / f"package{suffix}", tmp_path / "package.lock"
    for path in (theirs, lock):
        path.write_text("precious")
    done = train(spec, images, tmp_path / "package.safetensors", "--steps", "1")
    assert (done.code, done.out) == (2, "")
    assert str(theirs) in done.err
    assert theirs.read_text() == lock.read_text() == "precious"
    theirs.unlink()
    assert train(spec, images, tmp_path / "package.safetensors", "--steps", "1").code == 0
    assert lock.read_text() == "precious"


@pytest.mark.slow
@pytest.mark.parametrize("channels", [8, 16], ids=["by-torch", "natively"])
def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_happened(
    spec: Path, images: Path, tmp_path: Path, channels: int
) -> None:
    text = spec.read_text().replace("channels = 8", f"channels = {channels}")
    spec.write_text(text.replace("steps = 24", "steps = 400").replace("every = 8", "every = 400"))
    whole, cut = tmp_path / "whole.safetensors", tmp_path / "cut.safetensors"
    assert train_apart(spec, images, whole).returncode == 0
    running = subprocess.Popen(
        command(spec, images, cut),
        cwd=ROOT,
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    state = tmp_path / "cut.resume.pt"
    deadline = time.monotonic() + 240
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    reached = torch.load(state, weights_only=True)["step"]
    assert 0 < reached < 400
    resumed = train_apart(spec, images, cut, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert f"resumed at step {reached}" in resumed.stderr
    assert same_weights(whole, cut)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends Ctrl-C as Unix does")
def test_a_run_that_is_stopped_twice_ends_as_if_it_never_were(
    spec: Path, images: Path, tmp_path: Path
) -> None:
    """It is saved between two steps alone, not in the middle of one."""
    text = spec.read_text().replace("steps = 24", "steps = 500").replace("every = 8", "every = 500")
    spec.write_text(text.replace("save_seconds = 0", "save_seconds = 1000"))
    whole, cut = tmp_path / "whole.safetensors", tmp_path / "cut.safetensors"
    assert train_apart(spec, images, whole).returncode == 0
    said = stopped(command(spec, images, cut), signal.SIGINT)
    assert "stopping after this step" in said and "go on with --resume" in said
    stopped(command(spec, images, cut, "--resume"), signal.SIGTERM)
    resumed = train_apart(spec, images, cut, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert same_weights(whole, cut)


def stopped(line: list[str], number: signal.Signals) -> str:
    """What a run says that gets the signal soon after it has begun to learn."""
    with subprocess.Popen(line, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True) as running:
        said = ""
        assert running.stderr is not None
        for told in running.stderr:
            said += told
            if told.startswith(("step 0", "resumed")):
                time.sleep(0.3)
                running.send_signal(number)
    assert running.returncode == 130
    return said


def test_a_resumed_run_of_another_spec_is_refused(
    spec: Path, images: Path, tmp_path: Path, train: Train
) -> None:
    output = tmp_path / "tiny.safetensors"
    assert train(spec, images, output, "--steps", "2").code == 0
    spec.write_text(spec.read_text().replace("patch = 10", "patch = 12"))
    done = train(spec, images, output, "--resume", "--steps", "4")
    assert done.code == 4
    assert "another spec" in done.err


def test_a_patch_larger_than_the_smallest_crops_is_refused_before_they_are_made(
    spec: Path, images: Path, tmp_path: Path, train: Train
) -> None:
    spec.write_text(spec.read_text().replace("patch = 10", "patch = 60"))
    done = train(spec, images, tmp_path / "tiny.safetensors", "--steps", "1")
    assert done.code == 4
    assert "schedule.patch is 60" in done.err and "shrinking" not in done.err


def prepared(spec: Path, images: Path, output: Path, *, resume: bool = False) -> TrainingRun:
    run = TrainingRun(load_toml(spec, ModelSpec), spec.parent, output, Limit(2), lambda text: None)
    run.prepare([images], torch.device("cpu"), resume)
    return run


def test_weights_that_are_no_numbers_are_not_written(spec: Path, images: Path, tmp_path: Path) -> None:
    run = prepared(spec, images, tmp_path / "tiny.safetensors")
    with torch.no_grad():
        next(run._learner.average.parameters()).fill_(float("nan"))
    with pytest.raises(CheckpointError, match=r"no numbers|the loss is nan"):
        run.run()
    assert not (tmp_path / "tiny.safetensors").exists() and not (tmp_path / "tiny.resume.pt").exists()


@pytest.mark.parametrize(
    "wrong",
    [{"history": [{"x": 1}]}, {"step": "two"}, {"losses": 3}, {"data": {}}, {"optimisers": []}, {"spec": 3}],
)
def test_a_run_with_wrong_entries_is_refused(
    spec: Path, images: Path, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    output, state = tmp_path / "tiny.safetensors", tmp_path / "tiny.resume.pt"
    prepared(spec, images, output)._save()
    torch.save({**torch.load(state, weights_only=True), **wrong}, state)
    with pytest.raises(CheckpointError, match=r"tiny\.resume\.pt"):
        prepared(spec, images, output, resume=True)


def test_a_run_that_is_damaged_inside_is_refused(spec: Path, images: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "tiny.resume.pt", "w") as archive:
        for name, content in (("data.pkl", b"\x80\x02h\x07."), ("byteorder", b"little"), ("version", b"3")):
            archive.writestr(f"archive/{name}", content)
    with pytest.raises(CheckpointError, match=r"tiny\.resume\.pt is not a readable run"):
        prepared(spec, images, tmp_path / "tiny.safetensors", resume=True)


def test_bad_pictures_are_named_and_left_out(spec: Path, images: Path, tmp_path: Path, train: Train) -> None:
    (images / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (20, 20)).save(images / "small.png")
    done = train(spec, images, tmp_path / "tiny.safetensors", "--steps", "1")
    assert done.code == 0, done.err
    assert "broken.png" in done.err
    assert "small.png" in done.err


def test_a_packed_file_stands_for_the_folder(spec: Path, images: Path, tmp_path: Path, train: Train) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    assert train(spec, images, first, "--steps", "3").code == 0
    assert train(spec, tmp_path / "first.crops", second, "--steps", "3").code == 0
    assert (tmp_path / "first.crops").stat().st_size < 2**20
    assert same_weights(first, second)


def test_branches_and_a_teacher_leave_a_plain_network(
    spec: Path, images: Path, tmp_path: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", None)  # the spec says compile = false: of the teacher, too
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    assert train(spec, images, first, "--steps", "3").code == 0
    more = 'start = "first.safetensors"\nbranches = ["1x1", "identity", "1x1-3x3"]\n\n[training.data]'
    text = (
        spec.read_text()
        .replace("[training.data]", more)
        .replace("psnr_from", "distil_share = 0.5\npsnr_from")
    )
    spec.write_text(text)
    begun = train(spec, images, second, "--steps", "3")
    assert begun.code == 0, begun.err
    resumed = train(spec, images, second, "--resume", "--steps", "6")
    assert resumed.code == 0, resumed.err
    assert "resumed at step 3" in resumed.err
    expected, found = tensors(first), tensors(second)
    assert found.keys() == expected.keys()
    assert any(not torch.equal(found[key], expected[key]) for key in found)


def test_distilling_from_nothing_is_refused(spec: Path, images: Path, tmp_path: Path, train: Train) -> None:
    spec.write_text(spec.read_text().replace("psnr_from", "distil_share = 0.5\npsnr_from"))
    done = train(spec, images, tmp_path / "tiny.safetensors", "--steps", "1")
    assert done.code == 4
    assert "training.teacher" in done.err and "crops" not in done.err


def test_a_start_of_another_network_is_refused_before_the_crops_are_made(
    spec: Path, images: Path, tmp_path: Path, train: Train
) -> None:
    assert train(spec, images, tmp_path / "first.safetensors", "--steps", "1").code == 0
    text = spec.read_text().replace("blocks = 1", "blocks = 2")
    spec.write_text(text.replace("[training]", '[training]\nstart = "first.safetensors"'))
    done = train(spec, images, tmp_path / "second.safetensors", "--steps", "1")
    assert done.code == 4
    assert "another network" in done.err and "crops" not in done.err


@pytest.mark.parametrize("content", [[], ["notes.txt"]])
def test_a_folder_without_a_picture_ends_with_4(
    spec: Path, tmp_path: Path, content: list[str], train: Train
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    for name in content:
        (folder / name).write_text("no picture")
    done = train(spec, folder, tmp_path / "tiny.safetensors")
    assert done.code == 4
    assert str(folder) in done.err
    assert not (tmp_path / "tiny.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--minutes", "1", "--steps", "2"), "both"),
        (("--steps", "0"), "at least one step"),
        (("--minutes", "nan"), "minutes"),
        (("--device", "tpu"), "'cpu', 'cuda'"),
    ],
)
def test_contradictions_end_with_2(
    spec: Path, images: Path, tmp_path: Path, words: tuple[str, ...], said: str, train: Train
) -> None:
    done = train(spec, images, tmp_path / "tiny.safetensors", *words)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize(("mode", "degradation"), [(4, "none"), (3, "codec")])
def test_other_decoders_and_codecs_train_too(
    spec: Path, images: Path, tmp_path: Path, mode: int, degradation: str, train: Train
) -> None:
    spec.write_text(SPEC.format(mode=mode, degradation=degradation))
    done = train(spec, images, tmp_path / "tiny.safetensors", "--steps", "6", "--json")
    assert done.code == 0, done.err
    assert done.json["psnr"]["x2"] > 15
