"""``edge-sr upscale --dry-run``: what it tells is what a run then does, and nothing is written."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from PIL import Image, ImageCms
from support.calling import Answer, Command
from support.films import Making, make_film

from edge_sr.tensors import reference_card

FAST = ["--model", "diinn-nano", "--backend", "onnxruntime", "--precision", "fp32"]


@pytest.fixture
def upscale(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command("upscale", monkeypatch, capsys)


def refused(answer: Answer, code: int) -> str:
    assert (answer.code, answer.out) == (code, "")
    return answer.err


def test_a_films_outline_is_what_the_run_does(upscale: Command, tmp_path: Path) -> None:
    film = make_film(
        tmp_path / "film.mkv",
        Making(size=(32, 24), frames=30, audio=("eng",), subtitles=(("hello", 0, 400),)),
    )
    words = [film, "-o", "film.webm", "--scale", "2", *FAST]
    told = upscale(*words, "--dry-run", "--json").json
    assert list(tmp_path.iterdir()) == [film]
    done = upscale(*words, "--json").json
    for key in (
        "output_size",
        "input_size",
        "model",
        "backend",
        "encoder_backend",
        "precision",
        "codec",
        "frames",
    ):
        assert told[key] == done[key], key
    assert Path(told["output"]).name == Path(done["output"]).name == "film.webm"
    assert told["tracks_lost"] == done["dropped"]
    assert told["dry_run"] is True
    assert told["sample_frames"] == 12
    assert told["estimated_seconds"] > 0
    written = (tmp_path / "film.webm").stat().st_size
    assert written / 4 < told["estimated_bytes"] < written * 4


def test_the_text_names_model_tracks_and_cost(upscale: Command, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Making(size=(32, 24), frames=6, audio=("eng",)))
    answer = upscale(film, "--scale", "2", "--dry-run", "--backend", "onnxruntime", "--precision", "fp32")
    assert answer.code == 0
    for part in (
        f"would upscale {film}, 32x24, to {film.with_name('film-64x48.mp4')}, 64x48",
        "; override with --model ",
        "backend: onnxruntime in fp32, encoder on onnxruntime",
        "tracks kept: audio track 1 (aac, eng); tracks lost: none",
        "kB for 6 frames, judged by 6 of them",
    ):
        assert part in answer.out


def test_a_list_that_may_leave_its_folder_is_told_of_as_it_is_upscaled(
    upscale: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "lists"
    for made in (folder, tmp_path / "elsewhere"):
        made.mkdir()
    make_film(tmp_path / "elsewhere" / "part.ts", Making(size=(32, 24), frames=25))
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{tmp_path / 'elsewhere' / 'part.ts'}\n#EXT-X-ENDLIST\n"
    (folder / "film.m3u8").write_text(text)
    make_film(folder / "plain.mkv", Making(size=(32, 24), frames=6))
    words = ["--scale", "2", "--allow-protocols", "file", *FAST]
    one = upscale(folder / "film.m3u8", "-o", "film.mkv", "--dry-run", "--json", *words)
    assert one.code == 0, one.err
    assert one.json["frames"] == 25 and one.json["model_reason"] == "as asked for"
    both = upscale(folder, "-o", "out", *words)
    assert (both.code, len(list(Path("out").iterdir()))) == (0, 2)
    without = upscale(folder, "-o", "less", *words[:2], *FAST)
    assert without.code == 0 and [path.name for path in Path("less").iterdir()] == ["plain.mkv"]
    assert "film.m3u8 names other files or addresses: left out" in without.err
    assert "--allow-protocols" in without.err


def test_pictures_and_folders(upscale: Command, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, size in (("a.png", (20, 16)), ("b.bmp", (40, 32))):
        Image.fromarray(reference_card(*size)).save(folder / name)
    text = upscale(folder / "b.bmp", "--scale", "2", "--dry-run", *FAST).out
    assert re.fullmatch(r"about \d+\.\d s and \d+ kB", text.splitlines()[-1])
    one = upscale(folder / "b.bmp", "--scale", "2", "--dry-run", "--json", *FAST).json
    assert one["output"] == str(folder / "b-80x64.png")
    many = upscale(folder, "--scale", "2", "--dry-run", "--json", *FAST).json
    assert (many["output"], many["frames"]) == (str(tmp_path / "photos-x2"), 2)
    assert sorted(tmp_path.rglob("*")) == [folder, folder / "a.png", folder / "b.bmp"]


def test_what_a_run_refuses_a_dry_run_refuses_too(upscale: Command, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Making(size=(32, 24), frames=3))
    (tmp_path / "there.mp4").write_bytes(b"")
    asked = ["--scale", "2", "--dry-run", *FAST]
    assert "exists already" in refused(upscale(film, "-o", "there.mp4", *asked), 2)
    assert "leave --resume out" in refused(upscale(film, "--resume", *asked), 2)
    assert "needs a file or a folder" in refused(upscale("rtsp://192.0.2.1/cam", *asked), 2)
    if hasattr(os, "mkfifo"):  # of which nothing may be read, as nobody may write to it
        os.mkfifo("pipe.mkv")
        assert "needs a file or a folder" in refused(upscale("pipe.mkv", "-o", "out.mkv", *asked), 2)
    assert "from --start 99 s on" in refused(upscale(film, "--start", "99", *asked), 4)
    assert "missing.mp4" in refused(upscale("missing.mp4", *asked), 4)


def test_a_film_that_is_cut_off_is_judged_by_its_beginning(upscale: Command, tmp_path: Path) -> None:
    making = Making(size=(32, 24), frames=200, options={"g": "12"})
    film = make_film(tmp_path / "film.mkv", making)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(film.read_bytes()[: film.stat().st_size // 4])
    told = upscale(cut, "--scale", "2", "--dry-run", "--json", *FAST)
    assert told.code == 0, told.err
    assert told.json["sample_frames"] == 12
    assert "judged by its beginning" in told.err
    assert upscale(cut, "--scale", "2", *FAST).code == 0
    late = upscale(cut, "--scale", "2", "--dry-run", "--start", "60", *FAST)
    assert "no frame" in refused(late, 4)


def test_numbered_pictures_are_told_of_as_they_are_upscaled(upscale: Command, tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(reference_card(32, 24)).save(tmp_path / f"a{number:03}.png")
    words = ["a%03d.png", "-o", "film.mkv", "--scale", "2", *FAST]
    told = upscale(*words, "--dry-run", "--json")
    assert told.code == 0, told.err
    done = upscale(*words, "--json").json
    for key in ("output", "frames", "output_size", "codec"):
        assert told.json[key] == done[key], key


@pytest.mark.parametrize("name", ["move.webp", "move.png"])
def test_an_animation_is_told_of_as_it_is_upscaled(upscale: Command, tmp_path: Path, name: str) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # One that takes red for green.
    profile = srgb.replace(b"rXYZ", b"xXYZ").replace(b"gXYZ", b"rXYZ").replace(b"xXYZ", b"gXYZ")
    first, *rest = (Image.new("RGB", (24, 16), (level, 9, 9)) for level in (10, 90, 170))
    first.save(tmp_path / name, save_all=True, append_images=rest, duration=100, icc_profile=profile)
    told = upscale(name, "--scale", "2", *FAST, "--dry-run", "--json").json
    assert [path.name for path in tmp_path.iterdir()] == [name]
    done = upscale(name, "--scale", "2", *FAST, "--json").json
    assert (told["input"], told["output"], told["output_size"]) == (name, done["output"], done["output_size"])
    assert told["tracks_lost"] == []
    assert "move-48x32.mkv" in refused(upscale(name, "--scale", "2", *FAST, "--dry-run"), 2)


def test_what_a_dry_run_refuses_is_called_by_its_name(upscale: Command, tmp_path: Path) -> None:
    page = Image.fromarray(reference_card(24, 16))
    page.save(tmp_path / "scan.tif", save_all=True, append_images=[page])
    answer = upscale("scan.tif", "--scale", "2", "-o", "scan.png", *FAST, "--dry-run")
    assert refused(answer, 2).startswith("edge-sr: scan.tif holds 2 pages")


def test_pages_among_pictures_are_told_of_as_they_are_upscaled(upscale: Command, tmp_path: Path) -> None:
    page = Image.fromarray(reference_card(24, 16))
    (tmp_path / "in").mkdir()
    page.save(tmp_path / "in" / "a.tif", save_all=True, append_images=[page] * 3)
    page.save(tmp_path / "in" / "b.png")
    page.save(tmp_path / "in" / "c.tif", save_all=True, append_images=[page])
    told = upscale("in", "-o", "out", "--scale", "2", *FAST, "--dry-run", "--json").json
    done = upscale("in", "-o", "out", "--scale", "2", *FAST, "--json").json
    assert "failed" not in told or told["failed"] == []
    assert told["frames"] == done["frames"] == 7
