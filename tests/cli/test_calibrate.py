"""``edge-sr calibrate``: a bundle with both placements, its table, and what is refused with nothing written."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.calling import Answer, Command
from support.scenes import write_scenes

from edge_sr.bundle import open_bundle
from edge_sr.files.claims import claimed
from edge_sr.upscaler import Upscaler

pytest.importorskip("onnx")

QUICK = (
    'name = "quick"\nmethod = "{method}"\nrange_frames = 3\nloss_frames = 2\ndrawings = 2\ncrop = 64\n'
    'scales = ["2"]\n{more}'
)
LOOSE = "[budget]\nmean_db = 1.0\nworst_db = 3.0\n"


@pytest.fixture
def calibrate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command("calibrate", monkeypatch, capsys)


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    return write_scenes(tmp_path / "scenes", 5)


def recipe(tmp_path: Path, method: str = "minmax", more: str = LOOSE) -> Path:
    path = tmp_path / f"{method}.toml"
    path.write_text(QUICK.format(method=method, more=more))
    return path


def assert_refused(answer: Answer, code: int, out: Path, *words: str) -> None:
    assert answer.code == code, answer.err
    line = answer.err.splitlines()[-1]
    assert line.startswith("edge-sr: ") and all(word in line for word in words), line
    assert not out.exists()


def test_a_bundle_gets_both_placements(calibrate: Command, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    answer = calibrate("diinn-nano", "--frames", scenes, "-o", out, "--recipe", recipe(tmp_path), "--json")
    assert answer.code == 0, answer.err
    result = answer.json
    assert result["precisions"] == ["fp32", "fp16", "int8"]
    assert result["frames"] == {"ranges": 6, "loss": 4, "alike": 0, "flat": 0, "small": 0, "spare": 0}
    for entry in result["placements"].values():
        assert entry["mean_db"] <= 1 and entry["worst_db"] <= 3
        assert {one["layer"] for one in entry["sensitivity"]} >= {"encoder.tail", "content.0"}
    bundle = open_bundle(out)
    bundle.verify()
    table = json.loads((out / "scales.json").read_text())
    assert {frame["use"] for frame in table["frames"]} == {"ranges", "loss"}
    assert bundle.description.extra["calibration"]["placements"].keys() == {"int8", "int8-cpu"}
    picture = np.asarray(Image.open(scenes / "00.png"))
    with Upscaler(bundle, backend="onnxruntime", precision="int8") as up:
        assert (up.precision, up.scheme) == ("int8", "int8-cpu")
        rough = up(picture, scale="1.5").astype(int)
    with Upscaler(bundle, backend="onnxruntime", precision="fp32") as up:
        exact = up(picture, scale="1.5").astype(int)
    assert 0 < np.abs(rough - exact).mean() < 3


@pytest.mark.parametrize("method", ["percentile", "entropy", "mse"])
def test_every_method_gives_a_bundle_and_the_same_twice(
    calibrate: Command, scenes: Path, tmp_path: Path, method: str
) -> None:
    made = [tmp_path / "one", tmp_path / "two"]
    for out in made:
        answer = calibrate("diinn-nano", "--frames", scenes, "-o", out, "--recipe", recipe(tmp_path, method))
        assert answer.code == 0, answer.err
    for path in made[0].iterdir():
        assert path.read_bytes() == (made[1] / path.name).read_bytes(), path.name


def test_a_table_is_used_again_and_only_for_its_bundle(
    calibrate: Command, scenes: Path, tmp_path: Path
) -> None:
    first, again, other = tmp_path / "first", tmp_path / "again", tmp_path / "other"
    assert calibrate("diinn-nano", "--frames", scenes, "-o", first, "--recipe", recipe(tmp_path)).code == 0
    reuse = recipe(tmp_path, more='table = "first/scales.json"\n' + LOOSE)
    answer = calibrate("diinn-nano", "--frames", scenes, "-o", again, "--recipe", reuse)
    assert answer.code == 0 and "alone" not in answer.err
    for file in ("encoder.int8.onnx", "encoder.int8-cpu.onnx"):
        assert (first / file).read_bytes() == (again / file).read_bytes()
    answer = calibrate("diinn-edge", "--frames", scenes, "-o", other, "--recipe", reuse)
    assert_refused(answer, 4, other, "other weights")


def test_a_table_used_again_answers_to_the_budget_and_to_what_is_kept(
    calibrate: Command, scenes: Path, tmp_path: Path
) -> None:
    first, again, other = tmp_path / "first", tmp_path / "again", tmp_path / "other"
    assert calibrate("diinn-nano", "--frames", scenes, "-o", first, "--recipe", recipe(tmp_path)).code == 0
    reuse = recipe(
        tmp_path, more='table = "first/scales.json"\nkeep = ["encoder.head", "encoder.tail"]\n' + LOOSE
    )
    asked = ("diinn-nano", "--frames", scenes, "--recipe", reuse)
    answer = calibrate(*asked, "-o", other, "--budget-db", "1e-9")
    assert_refused(answer, 4, other, "table", "1e-09 dB on average", "--budget-db")
    part = recipe(tmp_path, "entropy", more='table = "first/scales.json"\nparts = ["decoder"]\n' + LOOSE)
    answer = calibrate("diinn-nano", "--frames", scenes, "--recipe", part, "-o", other)
    assert_refused(answer, 4, other, "table", "least_share")
    answer = calibrate(*asked, "-o", again, "--json")
    assert answer.code == 0, answer.err
    assert not any("encoder.tail" in entry["layers"] for entry in answer.json["placements"].values())


def test_the_decoder_can_be_quantised_for_tensorrt(calibrate: Command, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    both = recipe(tmp_path, more='parts = ["encoder", "decoder"]\n' + LOOSE)
    answer = calibrate("diinn-nano", "--frames", scenes, "-o", out, "--recipe", both, "--json")
    assert answer.code == 0, answer.err
    assert "synthesis.interaction.0" in answer.json["placements"]["int8"]["layers"]
    assert (out / "decoder.int8.onnx").is_file()
    assert not (out / "decoder.int8-cpu.onnx").exists()


def test_without_output_a_bundle_is_replaced_and_a_shipped_one_refused(
    calibrate: Command, scenes: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    answer = calibrate("diinn-nano", "--frames", scenes, "--recipe", recipe(tmp_path))
    assert_refused(answer, 2, own, "-o")
    assert calibrate("diinn-nano", "--frames", scenes, "-o", own, "--recipe", recipe(tmp_path)).code == 0
    answer = calibrate(own, "--frames", scenes, "-o", tmp_path / "more", "--recipe", recipe(tmp_path))
    assert_refused(answer, 4, tmp_path / "more", "INT8 already")


def test_a_budget_nobody_can_meet(calibrate: Command, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    clips = "percentile = 60\nleast_share = 0.9\n[budget]\nmean_db = 1e-9\nworst_db = 1e-9\n"
    strict = recipe(tmp_path, "percentile", clips)
    before = set(tmp_path.iterdir())
    answer = calibrate("diinn-nano", "--frames", scenes, "-o", out, "--recipe", strict)
    assert_refused(answer, 4, out, "no assignment", "the nearest")
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("obstacle", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (
            OSError(errno.ENOSPC, "No space left on device", "from", None, "draft/to"),
            5,
            "no space left for draft/to",
        ),
    ],
)
def test_an_interrupted_search_goes_on(
    calibrate: Command,
    scenes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    obstacle: BaseException,
    code: int,
    says: str,
) -> None:
    from edge_sr.calibration import calibrate as library

    def interrupt(*_given: object, **_named: object) -> None:
        raise obstacle

    out, cache = tmp_path / "made", tmp_path / ".made.calibration.json"
    words = ("diinn-nano", "--frames", scenes, "-o", out, "--recipe", recipe(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(library, "write_bundle", interrupt)
        assert_refused(calibrate(*words), code, out, says, "--resume")
    assert cache.is_file()
    other = calibrate(*words[:-1], recipe(tmp_path, "entropy"), "--resume")
    assert_refused(other, 2, out, "another bundle, recipe or frames")
    done = calibrate(*words, "--resume")
    assert done.code == 0 and "going on with" in done.err
    assert not cache.exists()


def test_a_bundle_that_another_run_is_making_is_refused_at_once(
    calibrate: Command, scenes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "made"
    with claimed(out):
        answer = calibrate("diinn-nano", "--frames", scenes, "-o", out, "--recipe", recipe(tmp_path))
    assert_refused(answer, 2, out, "another run is writing")
    assert len(answer.err.splitlines()) == 1


def test_the_bundle_of_the_working_folder_is_calibrated_where_it_lies(
    calibrate: Command, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    shutil.copytree(open_bundle("diinn-nano").path, own)
    text = json.loads((own / "bundle.json").read_text())
    text["graphs"] = [graph for graph in text["graphs"] if not graph["precision"].startswith("int8")]
    (own / "bundle.json").write_text(json.dumps(text))
    monkeypatch.chdir(own)
    answer = calibrate(".", "--frames", scenes, "--recipe", recipe(tmp_path), "--json")
    assert answer.code == 0, answer.err
    assert "int8" in open_bundle(own).precisions
    assert sorted(path.name for path in tmp_path.iterdir()) == ["minmax.toml", "own", "scenes"]


def test_bad_frames_are_refused(calibrate: Command, tmp_path: Path) -> None:
    out, empty, flat, tiny = (tmp_path / name for name in ("made", "empty", "flat", "tiny"))
    for folder, size in ((empty, 0), (flat, 64), (tiny, 6)):
        folder.mkdir()
        for shade in range(3 if size else 0):
            Image.new("RGB", (size, size), (80 * shade, 10, 10)).save(folder / f"{shade}.png")
    assert_refused(calibrate("diinn-nano", "--frames", empty, "-o", out), 4, out, "found none")
    assert_refused(calibrate("diinn-nano", "--frames", flat, "-o", out), 4, out, "3 of one colour")
    assert_refused(calibrate("diinn-nano", "--frames", tiny, "-o", out), 4, out, "3 below")
    assert_refused(calibrate("diinn-nano", "--frames", tmp_path / "no", "-o", out), 4, out, "nothing at")


def test_bad_recipes_and_options_are_refused(calibrate: Command, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    for text, word in (
        ("colour = 1\n", "unknown key 'colour'"),
        ('method = "guess"\n', "method"),
        ('keep = ["encoder.nose"]\n', "encoder.nose"),
        ("[budget]\nmean_db = 2.0\n", "worst_db"),
        ("name = \n", "TOML"),
    ):
        path = tmp_path / "bad.toml"
        path.write_text(text)
        answer = calibrate("diinn-nano", "--frames", scenes, "-o", out, "--recipe", path)
        assert_refused(answer, 4, out, word)
    assert_refused(
        calibrate("diinn-nano", "--frames", scenes, "-o", out, "--budget-db", 0), 2, out, "--budget-db"
    )
    assert_refused(calibrate("nobody", "--frames", scenes, "-o", out), 2, out, "nobody")
    assert calibrate("diinn-nano", "-o", out).code == 2
    answer = calibrate("diinn-nano", "--frames", scenes, "-o", scenes)
    assert answer.code == 2 and "exists" in answer.err
