"""``edge-sr upscale --resume`` where the output is there already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from support.calling import Answer, Command
from support.films import Making, make_film

from edge_sr.tensors import reference_card
from edge_sr.video.encode.workfolder import WorkFolder

Upscale = Callable[..., Answer]


@pytest.fixture
def upscale(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Upscale:
    monkeypatch.chdir(tmp_path)
    command = Command("upscale", monkeypatch, capsys)
    fast = ("--scale", "2", "--model", "diinn-nano", "--backend", "onnxruntime", "--precision", "fp32")
    return lambda *words: command(*words, *fast)


def test_a_film_that_is_done_is_told_as_done(upscale: Upscale, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", Making(size=(32, 24), frames=6))
    assert upscale(film, "-o", "out.mkv").code == 0
    again = upscale(film, "-o", "out.mkv", "--resume")
    assert (again.code, again.out) == (0, "out.mkv: done already, 6 frames\n")
    told = upscale(film, "-o", "out.mkv", "--resume", "--json").json
    assert (told["frames"], told["resumed_frames"], told["was_done"]) == (6, 6, True)
    for key in ("model", "backend", "encoder_backend", "precision"):
        assert told[key] is None
    assert told["peak_rss_mb"] > 0


def test_what_the_run_before_recorded_is_told(upscale: Upscale, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", Making(size=(32, 24), frames=6))
    assert upscale(film, "-o", "out.mkv").code == 0
    # As a run leaves it that is killed after it has put the film in its place.
    work = WorkFolder(Path("out.mkv"))
    settings = {
        "model": "diinn-nano",
        "backend": "native",
        "encoder backend": "openvino",
        "precision": "fp32",
    }
    work.open({"settings": settings}, resume=False, overwrite=True)
    Path("copy.mkv").write_bytes(Path("out.mkv").read_bytes())
    work.finish(Path("copy.mkv"), Path("out.mkv"))
    work.close()
    told = upscale(film, "-o", "out.mkv", "--resume", "--json").json
    assert told["was_done"] is True
    assert (told["model"], told["backend"]) == ("diinn-nano", "native")
    assert (told["encoder_backend"], told["precision"]) == ("openvino", "fp32")


def test_a_picture_that_is_done_is_told_as_done(upscale: Upscale, tmp_path: Path) -> None:
    Image.fromarray(reference_card(12, 10)).save(tmp_path / "card.png")
    assert upscale("card.png", "-o", "out.png").code == 0
    assert upscale("card.png", "-o", "out.png", "--resume").out == "out.png: done already\n"


@pytest.mark.parametrize("name", ["out.mkv", "out.png", "out.tif"])
def test_an_output_that_cannot_be_read_is_refused_as_one_in_the_way(
    upscale: Upscale, tmp_path: Path, name: str
) -> None:
    source = tmp_path / f"in{Path(name).suffix}"
    if source.suffix == ".mkv":
        make_film(source, Making(size=(32, 24), frames=3))
    else:
        pages = [Image.fromarray(reference_card(12, 10))] * 2
        several = {"save_all": True, "append_images": pages[1:]} if source.suffix == ".tif" else {}
        pages[0].save(source, **several)
    Path(name).write_text("neither film nor picture")
    answer = upscale(source, "-o", name, "--resume")
    assert answer.code == 2
    assert f"{name} is there" in answer.err and "--overwrite" in answer.err
    assert Path(name).read_text() == "neither film nor picture"
