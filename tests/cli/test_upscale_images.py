"""``edge-sr upscale`` on images and on folders of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.calling import Answer, Command
from support.films import Making, make_film
from support.images import png

from edge_sr.tensors import reference_card

Upscale = Callable[..., Answer]


@pytest.fixture
def upscale(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Upscale:
    monkeypatch.chdir(tmp_path)
    command = Command("upscale", monkeypatch, capsys)
    return lambda *words: command(*words, "--model", "diinn-nano", "--scale", "2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def draw(path: Path, size: tuple[int, int] = (12, 10)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(reference_card(*size)).save(path)


def made(folder: Path) -> dict[str, tuple[int, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): Image.open(path).size for path in files}


def test_alpha_is_upscaled_beside_the_picture(upscale: Upscale, tmp_path: Path) -> None:
    card = reference_card(20, 16)
    Image.fromarray(np.dstack([card, card[..., 0]]), "RGBA").save(tmp_path / "clear.png")
    assert upscale("clear.png").code == 0
    with Image.open(tmp_path / "clear-40x32.png") as image:
        assert image.mode == "RGBA"
        alpha = np.asarray(image)[::2, ::2, 3].astype(int)
    assert np.abs(alpha - card[..., 0]).mean() < 25


def test_a_still_is_told_by_content_and_stays_one(upscale: Upscale, tmp_path: Path) -> None:
    draw(tmp_path / "card.png")
    shutil.copy("card.png", "card.dat")
    answer = upscale("card.dat")
    assert answer.code == 0
    assert (
        answer.out.startswith("card-24x20.png: 12x10 to 24x20, by diinn-nano") and "frame" not in answer.out
    )
    assert Image.open("card-24x20.png").size == (24, 20)
    Image.open("card.png").save("one.gif")
    assert upscale("one.gif").code == 0
    assert Image.open("one-24x20.png").size == (24, 20)


def test_a_film_with_a_pictures_name_is_a_film(upscale: Upscale, tmp_path: Path) -> None:
    make_film(tmp_path / "film.mp4", Making(size=(32, 24), frames=3)).rename(tmp_path / "film.png")
    answer = upscale("film.png", "--json")
    assert (answer.code, answer.json["frames"]) == (0, 3)


def test_a_damaged_picture_is_upscaled_as_far_as_it_goes(upscale: Upscale, tmp_path: Path) -> None:
    (tmp_path / "short.png").write_bytes(png(reference_card(30, 20), rows=5))
    answer = upscale("short.png", "--json")
    assert (answer.code, answer.json["bad_frames"]) == (0, 1)
    assert "only 5 of 20 rows" in answer.json["warnings"][0]
    (tmp_path / "short-60x40.png").unlink()
    assert upscale("short.png", "--strict").code == 4
    assert not (tmp_path / "short-60x40.png").exists()


def test_what_is_lost_ends_a_strict_run(upscale: Upscale, tmp_path: Path) -> None:
    Image.fromarray(reference_card(20, 16)).convert("RGBA").save(tmp_path / "clear.png")
    answer = upscale("clear.png", "-o", "flat.jpg", "--strict")
    assert answer.code == 4
    assert "alpha channel" in answer.err
    assert not (tmp_path / "flat.jpg").exists()


def test_a_result_beyond_the_format_is_refused_before_the_work(upscale: Upscale, tmp_path: Path) -> None:
    draw(tmp_path / "long.png", (8200, 4))
    answer = upscale("long.png", "-o", "long.webp")
    assert answer.code == 2
    assert "16,383" in answer.err


def test_a_folder_keeps_its_names(upscale: Upscale, tmp_path: Path, folder: Path) -> None:
    for name, size in (("a.png", (12, 10)), ("b.jpg", (16, 9)), ("c.bmp", (8, 8))):
        draw(folder / name, size)
    (folder / "notes.txt").write_text("no picture")
    answer = upscale(folder, "--json")
    assert answer.code == 0
    assert (answer.json["frames"], answer.json["input_size"]) == (3, [12, 10])
    assert made(tmp_path / "in-x2") == {"a.png": (24, 20), "b.jpg": (32, 18), "c.png": (16, 16)}
    assert upscale(folder).code == 2
    (tmp_path / "in-x2" / "b.jpg").unlink()
    again = upscale(folder, "--resume", "--json").json
    assert (again["frames"], again["resumed_frames"]) == (3, 2)


@pytest.mark.parametrize("first", [True, False])
def test_a_fault_of_one_picture_is_that_pictures(upscale: Upscale, folder: Path, first: bool) -> None:
    names = ("a.png", "b.png", "c.jpg") if first else ("x.png", "y.png", "z.png")
    (folder / names[0]).write_bytes(b"not a picture")
    draw(folder / "m.png")
    (folder / names[1]).write_bytes(b"")
    Image.new("RGB", (2, 2)).save(folder / names[2])
    answer = upscale(folder, "-o", "out", "--json")
    assert answer.code == 4
    assert answer.json["frames"] == 1
    assert {Path(one["input"]).name for one in answer.json["failed"]} == set(names)
    assert "3 of 4" in answer.err
    assert made(Path("out")) == {"m.png": (24, 20)}


def test_a_height_that_one_picture_exceeds_is_that_pictures(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(folder / "high.png", (10, 40))
    draw(folder / "low.png", (10, 8))
    upscale = Command("upscale", monkeypatch, capsys)
    answer = upscale(folder, "--height", "20", "--model", "diinn-nano", "-o", tmp_path / "out")
    assert answer.code == 4
    assert made(tmp_path / "out") == {"low.png": (25, 20)}


def test_two_sources_never_share_a_target(upscale: Upscale, folder: Path) -> None:
    draw(folder / "x.png", (12, 10))
    draw(folder / "x.bmp", (8, 8))
    draw(folder / "x.gif", (9, 9))
    assert upscale(folder, "-o", "out").code == 0
    assert made(Path("out")) == {"x.png": (24, 20), "x.bmp.png": (16, 16), "x.gif.png": (18, 18)}
    draw(folder / "x.bmp.png")
    answer = upscale(folder, "-o", "other")
    assert answer.code == 2
    assert "would both become" in answer.err
    assert not Path("other").exists()


def test_sub_folders_come_with_recursive(upscale: Upscale, folder: Path) -> None:
    draw(folder / "a.png")
    draw(folder / "sub" / "deep" / "a.png", (8, 8))
    draw(folder / ".hidden" / "b.png")
    assert upscale(folder, "-o", folder / "out").code == 0
    assert made(folder / "out") == {"a.png": (24, 20)}
    assert upscale(folder, "-o", folder / "out", "--recursive", "--overwrite").code == 0
    assert made(folder / "out") == {"a.png": (24, 20), "sub/deep/a.png": (16, 16)}


def test_of_a_folder_without_a_good_picture_nothing_is_made(upscale: Upscale, folder: Path) -> None:
    (folder / "a.png").write_bytes(b"not a picture")
    answer = upscale(folder, "-o", "out")
    assert answer.code == 4
    assert "none of 1" in answer.err
    (folder / "a.png").rename(folder / "a.txt")
    assert upscale(folder, "-o", "out").code == 4
    assert list(Path("out").rglob("*.png")) == []
