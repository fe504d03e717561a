"""``edge-sr upscale`` with several inputs: films and pictures, folders of both, lists."""

from __future__ import annotations

import io
import json
import shutil
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.calling import Answer, Command
from support.films import Making, frame_pixels, make_film

from edge_sr.errors import InterruptedRun
from edge_sr.tensors import reference_card
from edge_sr.upscale.batch.batch import plan_batch, run_batch
from edge_sr.upscale.batch.listing import picture_or_film, read_lists
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request

Upscale = Callable[..., Answer]
SMALL = Making(size=(32, 24), frames=3)


@pytest.fixture
def upscale(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Upscale:
    monkeypatch.chdir(tmp_path)
    command = Command("upscale", monkeypatch, capsys)
    fast = (
        "--model",
        "diinn-nano",
        "--backend",
        "onnxruntime",
        "--precision",
        "fp32",
    )
    return lambda *words: command(*words, "--scale", "2", *fast)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder with two films and a picture, one more of each below, and what is neither."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for place in (folder, folder / "sub"):
        make_film(place / "film.mkv", SMALL)
        Image.fromarray(reference_card(12, 10)).save(place / "card.png")
    make_film(folder / "old.avi", Making(size=(32, 24), frames=3, codec="mpeg4"))
    (folder / "notes.txt").write_text("neither film nor picture")
    (folder / "loading.mp4.part").write_bytes((folder / "film.mkv").read_bytes())
    return folder


def made(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def lines(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.out.splitlines()]


def test_a_folder_of_films_and_pictures_has_one_report(upscale: Upscale, mixed: Path) -> None:
    answer = upscale(mixed, "--recursive", "--json")
    assert answer.code == 0, answer.err
    names = {"film.mkv", "card.png", "old.mkv", "sub/film.mkv", "sub/card.png"}
    assert made(Path("in-x2")) == names
    assert (answer.json["frames"], answer.json["output"]) == (3 * 3 + 2, str(mixed) + "-x2")
    assert "left out: 1\n" in answer.err
    again = upscale(mixed, "--recursive", "--json", "--resume").json
    assert (again["frames"], again["resumed_frames"], again["was_done"]) == (11, 11, True)
    assert made(Path("in-x2")) == names


def test_several_inputs_end_as_a_line_of_json_each(upscale: Upscale, mixed: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "list.txt").write_text(f"# what is left\n{mixed / 'old.avi'}\n\nempty.mp4\n")
    words = (mixed / "sub", "@list.txt", mixed / "old.avi", "absent.mkv", "-o", "out", "--json")
    answer = upscale(*words)
    assert answer.code == 4
    found = lines(answer)
    assert [(Path(one["input"]).name, one["state"]) for one in found] == [
        ("card.png", "done"),
        ("film.mkv", "done"),
        ("old.avi", "done"),
        ("empty.mp4", "failed"),
        ("absent.mkv", "failed"),
    ]
    assert [one["exit_code"] for one in found[3:]] == [4, 4]
    assert "no such file" in found[4]["error"]
    assert "given twice" in answer.err
    assert "2 of 5 could not be upscaled" in answer.err.splitlines()[-1]
    assert made(Path("out")) == {"sub/card.png", "sub/film.mkv", "old.mkv"}
    assert [one["state"] for one in lines(upscale(*words, "--resume"))] == ["skipped"] * 3 + ["failed"] * 2


def test_a_table_tells_what_became_of_each(upscale: Upscale, mixed: Path) -> None:
    (mixed / "bad.mp4").write_bytes(b"not a film")
    assert upscale(mixed / "film.mkv", "-o", "film.mkv").code == 0
    Path("out").mkdir()
    Path("film.mkv").rename("out/film.mkv")
    answer = upscale(mixed, "-o", "out", "--resume")
    assert answer.code == 4
    rows = answer.out.splitlines()
    assert [row.split()[0] for row in rows] == ["failed", "done", "skipped", "done", "4"]
    assert "not a film" in rows[0]
    assert rows[-1] == "4 inputs: 2 done, 1 skipped, 1 failed"


def test_without_an_output_folder_each_goes_beside_its_input(upscale: Upscale, mixed: Path) -> None:
    shutil.copy(mixed / "old.avi", mixed / "film.avi")
    assert upscale(mixed / "card.png", mixed / "film.avi", mixed / "film.mkv").code == 0
    assert {"card-24x20.png", "film-64x48.mkv", "film.avi-64x48.mkv"} < made(mixed)


def test_one_input_goes_into_a_folder_that_is_said_to_be_one(upscale: Upscale, mixed: Path) -> None:
    answer = upscale(str(mixed / "card.png"), "-o", "new/")
    assert answer.code == 0, answer.err
    assert made(mixed.parent / "new") == {"card.png"}
    assert upscale(str(mixed / "card.png"), "-o", "other/", "--dry-run").code == 0
    assert not (mixed.parent / "other").exists()


def test_one_input_goes_into_a_folder_that_is_there(upscale: Upscale, mixed: Path) -> None:
    Path("out").mkdir()
    assert upscale(mixed / "old.avi", "-o", "out").code == 0
    assert made(Path("out")) == {"old.mkv"}


def test_a_codec_that_the_inputs_container_does_not_take_goes_into_matroska(
    upscale: Upscale, tmp_path: Path
) -> None:
    film = make_film(tmp_path / "film.mp4", SMALL)
    make_film(tmp_path / "film.mov", SMALL)
    assert upscale("film.mov", film, "--codec", "ffv1", "-o", "out").code == 0
    assert made(Path("out")) == {"film.mov.mkv", "film.mp4.mkv"}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("a/film.mkv", "b/film.mkv", "-o", "out"), 2, "would both become"),
        (("a/film.mkv", "b", "-o", "a"), 2, "would replace an input"),
        (("a", "-o", "a"), 2, "the output folder is the input folder"),
        (("a", "b", "-o", "a/film.mkv"), 2, "is a file, expected a folder"),
        (("a", "b", "-o", "no/where"), 2, "does not exist"),
        (("@absent.txt",), 4, "no such list"),
        (("@empty.txt",), 4, "names no input"),
        (("a", "-", "-o", "out"), 2, "give it alone"),
        (("a", "b", "--codec", "divx"), 2, "unknown codec"),
        (("a/card.png", "b/card.png", "--crf", "20"), 2, "--crf is for films"),
        (("a", "there", "-o", "there"), 2, "the output folder is the input folder"),
        (("a/film.mkv", "b/card.png", "-o", "there"), 2, "exists already: add --resume"),
    ],
)
def test_what_cannot_be_right_is_refused_before_the_work(
    upscale: Upscale, tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(make_film(tmp_path / "film.mkv", SMALL), tmp_path / name)
        Image.fromarray(reference_card(12, 10)).save(tmp_path / name / "card.png")
    (tmp_path / "there").mkdir()
    shutil.move(tmp_path / "film.mkv", tmp_path / "there")
    (tmp_path / "empty.txt").write_text("# nothing\n")
    before = made(tmp_path)
    answer = upscale(*words)
    assert (answer.code, answer.out) == (code, "")
    assert message in answer.err.splitlines()[-1]
    assert made(tmp_path) == before


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_when_all_fail_by_an_option_that_is_the_exit_code(
    upscale: Upscale, mixed: Path, dry: tuple[str, ...]
) -> None:
    answer = upscale(mixed / "film.mkv", mixed / "old.avi", "-o", "out", "--crf", "99", *dry)
    assert answer.code == 2
    assert "none of 2" in answer.err


def test_a_batch_goes_on_where_it_was_and_gives_the_same(upscale: Upscale, mixed: Path) -> None:
    assert upscale(mixed, "-o", "whole").code == 0
    assert upscale(mixed, "-o", "out").code == 0
    (Path("out") / "old.mkv").unlink()
    (Path("out") / "card.png").unlink()
    answer = upscale(mixed, "-o", "out", "--resume")
    assert answer.code == 0
    assert "2 done, 1 skipped" in answer.out
    for name in ("film.mkv", "old.mkv"):
        pairs = zip(frame_pixels(Path("whole") / name), frame_pixels(Path("out") / name), strict=True)
        assert all((one == other).all() for one, other in pairs)


def test_a_batch_that_is_stopped_says_how_to_go_on(mixed: Path) -> None:
    stop = threading.Event()
    request = Request(
        input=str(mixed),
        output=mixed.parent / "out",
        scale=Fraction(2),
        model="diinn-nano",
        backend="onnxruntime",
        precision="fp32",
        go_on="the line to go on with",
    )
    controls = Controls(stop=stop)
    jobs = plan_batch(request, [str(mixed)], controls)
    with pytest.raises(InterruptedRun, match="after 1 input; go on with: the line to go on with"):
        run_batch(request, jobs, controls, lambda outcome: stop.set())
    assert made(mixed.parent / "out") == {"card.png"}


def test_a_result_beside_its_input_replaces_no_other_input(upscale: Upscale, tmp_path: Path) -> None:
    make_film(tmp_path / "film.mkv", SMALL)
    make_film(tmp_path / "film-64x48.mkv", SMALL)
    answer = upscale("film.mkv", "film-64x48.mkv", "--overwrite")
    assert answer.code == 2
    assert "film-64x48.mkv may be replaced" in answer.err


@pytest.mark.parametrize("standard", [False, True], ids=["file", "standard input"])
def test_a_list_may_hold_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standard: bool) -> None:
    text = b"\xef\xbb\xbfa\xff.png\r\n\n# note\nnext\xc2\x85line.png\nform\x0cfeed.png"
    (tmp_path / "list").write_bytes(text)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), "utf-8", "strict"))
    found = read_lists(["@-" if standard else f"@{tmp_path / 'list'}"])
    assert found == ["a\udcff.png", "next\x85line.png", "form\x0cfeed.png"]


@pytest.mark.parametrize("name", ["gone.png", "gone.mkv", "gone.txt"])
def test_a_file_that_goes_meanwhile_costs_nobody_anything(tmp_path: Path, name: str) -> None:
    assert picture_or_film(tmp_path / name, ()) in (None, False)


def test_a_result_of_another_size_is_not_taken_for_done(upscale: Upscale, mixed: Path) -> None:
    assert upscale(mixed, "-o", "out").code == 0
    answer = upscale(mixed, "-o", "out", "--resume", "--region", "0,0,10,10")
    assert answer.code == 2
    assert "where this run makes" in answer.err


def test_a_dry_run_of_a_batch_tells_of_each_and_of_all(upscale: Upscale, mixed: Path) -> None:
    before = made(mixed.parent)
    words = (mixed / "card.png", mixed / "sub", "absent.mp4", "-o", "out", "--dry-run")
    answer = upscale(*words, "--json")
    assert answer.code == 4
    found = lines(answer)
    assert [one.get("output") for one in found] == [
        "out/card.png",
        "out/sub/card.png",
        "out/sub/film.mkv",
        None,
    ]
    assert [one.get("sample_frames") for one in found] == [1, 0, 3, None]
    text = upscale(*words)
    assert text.out.splitlines()[-1].startswith("all: about ")
    assert "for 5 frames, judged by 4 of them" in text.out
    whole = upscale(mixed, "--dry-run", "--json").json
    assert (whole["frames"], whole["output"]) == (7, f"{mixed}-x2")
    assert made(mixed.parent) == before


@pytest.mark.parametrize("name", [".", "./", "..", "../in"])
def test_a_folder_named_by_where_one_stands_has_its_results_beside_it(
    upscale: Upscale, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(reference_card(12, 10)).save(folder / "card.png")
    monkeypatch.chdir(folder / "sub" if name == ".." else folder)
    told = upscale(name, "--dry-run", "--json").json
    done = upscale(name, "--json")
    assert done.code == 0, done.err
    assert Path(told["output"]).resolve() == Path(done.json["output"]).resolve() == tmp_path / "in-x2"
    assert made(tmp_path) == {"in/card.png", "in-x2/card.png"}


def test_the_root_has_no_folder_beside_it(upscale: Upscale) -> None:
    answer = upscale("/")
    assert answer.code == 2
    assert "choose one with -o" in answer.err


def test_a_dry_run_without_an_output_folder_names_what_the_run_writes(
    upscale: Upscale, tmp_path: Path
) -> None:
    film = make_film(tmp_path / "film.mkv", SMALL)
    for name in ("a.jpg", "b.png", "c.bmp"):
        Image.fromarray(reference_card(12, 10)).save(tmp_path / name)
    inputs = (film, "a.jpg", "b.png", "c.bmp")
    told = upscale(*inputs, "--dry-run", "--json")
    assert told.code == 0, told.err
    done = upscale(*inputs, "--json")
    assert [one["output"] for one in lines(told)] == [one["output"] for one in lines(done)]
    text = upscale(*inputs, "--dry-run", "--overwrite")
    assert (text.code, text.out.splitlines()[-1].startswith("all: about ")) == (0, True)
