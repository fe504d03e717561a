"""Every example runs, as its own first line says."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from support.films import Making, make_film

from edge_sr.tensors import reference_card

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(folder: Path, name: str, *words: object) -> str:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    path = tmp_path / "photos" / "photo.png"
    Image.fromarray(reference_card(32, 24)).save(path)
    return path


def test_a_folder(tmp_path: Path, photo: Path) -> None:
    Image.fromarray(reference_card(32, 24)).save(photo.with_suffix(".JPG"))
    (photo.parent / "notes.txt").write_text("no picture")
    said = run(tmp_path, "folder", photo.parent, "larger", "--scale", "2.7", "--model", "diinn-nano")
    assert said == "photo.JPG: 86x65\nphoto.png: 86x65\n"
    assert size_of(tmp_path / "larger" / "photo.png") == (86, 65)


def test_a_film(tmp_path: Path) -> None:
    make_film(tmp_path / "film.mp4", Making(size=(32, 24), frames=5))
    run(tmp_path, "film", "film.mp4", "larger.mkv", "--height", "48", "--model", "diinn-nano")
    with av.open(str(tmp_path / "larger.mkv")) as film:
        shapes = [frame.to_ndarray(format="rgb24").shape for frame in film.decode(video=0)]
    assert shapes == [(48, 64, 3)] * 5


@pytest.mark.parametrize(
    "name, more",
    [
        ("film", ("out.mkv",)),
        ("camera", ("out.mkv",)),
        ("folder", ("out",)),
        ("many_sizes", ("out", "30")),
        ("zoom", ("out", "--region", "0,0,8,8")),
    ],
)
def test_what_is_not_there_ends_in_a_line(tmp_path: Path, name: str, more: tuple[str, ...]) -> None:
    words = ["nothere.mp4", *more, "--model", "diinn-nano"]
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "nothere.mp4" in done.stderr
    assert not list(tmp_path.iterdir())


def test_one_encoding_for_many_sizes(tmp_path: Path, photo: Path) -> None:
    run(tmp_path, "many_sizes", photo, "sizes", 30, 48, "--model", "diinn-nano")
    assert size_of(tmp_path / "sizes" / "photo-30.png") == (40, 30)
    assert size_of(tmp_path / "sizes" / "photo-48.png") == (64, 48)


def test_a_zoom_ends_in_its_region(tmp_path: Path, photo: Path) -> None:
    from edge_sr import Upscaler

    run(tmp_path, "zoom", photo, "steps", "--region", "8,6,16,12", "--steps", 3, "--model", "diinn-nano")
    assert size_of(tmp_path / "steps" / "0.png") == (32, 24)
    with Upscaler("diinn-nano") as up:
        whole = up(np.asarray(Image.open(photo)), scale=2)
    last = np.asarray(Image.open(tmp_path / "steps" / "2.png"))
    assert last.shape == (24, 32, 3)
    assert np.abs(last.astype(int) - whole[12:36, 16:48]).max() <= 1


def test_a_camera(tmp_path: Path) -> None:
    make_film(tmp_path / "film.mp4", Making(size=(32, 24), frames=9))
    said = run(tmp_path, "camera", "film.mp4", "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as film:
        sizes = [(frame.width, frame.height) for frame in film.decode(video=0)]
    assert said == f"{len(sizes)} frames\n"
    assert set(sizes) == {(64, 48)}


def test_an_onnx_network(tmp_path: Path, photo: Path) -> None:
    for module in ("torch", "onnx", "onnxsim"):
        pytest.importorskip(module)
    import onnx
    from support.external_onnx import model

    onnx.save(model(), str(tmp_path / "net.onnx"))
    said = run(tmp_path, "onnx_network", "net.onnx", "net", photo, "larger.png")
    assert said.splitlines()[-1] == "net: fixed, x2"
    assert size_of(tmp_path / "larger.png") == (48, 36)


def test_every_example_says_how_it_is_called() -> None:
    for example in EXAMPLES.glob("*.py"):
        first = example.read_text(encoding="utf-8").splitlines()[0]
        words = shlex.split(first.split(": ", 1)[1].rstrip('"'))
        assert words[:2] == ["python", f"examples/{example.name}"]


def test_every_example_is_run() -> None:
    tested = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{example.stem}"' in tested for example in EXAMPLES.glob("*.py"))
