"""``edge-sr upscale --resume`` where the output is there already."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from support.calling import Answer, Command
from support.films import Making, make_film

from edge_sr.files.posix import read_note, write_note
from edge_sr.tensors import reference_card
from edge_sr.video.encode.origin import NOTE
from edge_sr.video.encode.workfolder import WorkFolder

Upscale = Callable[..., Answer]


@pytest.fixture
def upscale(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Upscale:
    monkeypatch.chdir(tmp_path)
    command = Command("upscale", monkeypatch, capsys)
    fast = ("--scale", "2", "--model", "diinn-nano", "--backend", "onnxruntime", "--precision", "fp32")
    return lambda *words: command(*fast, *words)


def test_a_film_that_is_done_is_told_as_done(upscale: Upscale, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", Making(size=(32, 24), frames=6))
    assert upscale(film, "-o", "out.mkv").code == 0
    again = upscale(film, "-o", "out.mkv", "--resume")
    assert (again.code, again.out) == (0, "out.mkv: done already, 6 frames\n")
    # As where a file system takes no notes.
    write_note(Path("out.mkv"), NOTE, "")
    told = upscale(film, "-o", "out.mkv", "--resume", "--json").json
    assert (told["frames"], told["resumed_frames"], told["was_done"]) == (6, 6, True)
    for key in ("model", "backend", "encoder_backend", "precision"):
        assert told[key] is None
    assert told["peak_rss_mb"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="files have no notes")
def test_a_film_that_was_made_otherwise_is_not_taken_as_done(upscale: Upscale, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", Making(size=(32, 24), frames=6))
    assert upscale(film, "-o", "out.mkv", "--crf", "30").code == 0
    if read_note(Path("out.mkv"), NOTE) is None:
        pytest.skip("the file system takes no notes")
    made = Path("out.mkv").read_bytes()
    told = upscale(film, "-o", "out.mkv", "--crf", "30", "--resume", "--json").json
    assert (told["was_done"], told["model"], told["precision"]) == (True, "diinn-nano", "fp32")
    needless = upscale(film, "-o", "out.mkv", "--crf", "30", "--resume", "--tonemap")
    assert (needless.code, needless.out) == (0, "out.mkv: done already, 6 frames\n")
    for words, found in (
        (("--crf", "20"), "codec options crf was 30, now 20"),
        (("--crf", "30", "--model", "diinn-edge"), "model was diinn-nano, now diinn-edge"),
        (("--crf", "30", "--tta"), "tta was False, now True"),
    ):
        answer = upscale(film, "-o", "out.mkv", "--resume", *words)
        assert answer.code == 2
        assert "out.mkv is there" in answer.err and found in answer.err and "--overwrite" in answer.err
    # Another film of the same length and size under the old name.
    make_film(film, Making(size=(32, 24), frames=6, colours=(1, 1, 1, 16)))
    answer = upscale(film, "-o", "out.mkv", "--crf", "30", "--resume")
    assert answer.code == 2 and "sha256 of both ends changed" in answer.err
    assert Path("out.mkv").read_bytes() == made


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
