"""Evaluation over small pictures: the protocol end to end, rows as asked, baselines, and the JSON."""

from __future__ import annotations

import dataclasses
import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.films import Making, make_film

from edge_sr.bundle import open_bundle
from edge_sr.cli.evaluate import table
from edge_sr.errors import ConfigError, InputNotFoundError, MediaError, OptionError
from edge_sr.evaluation.crops import CROP_NAMES, SIDE, worst_box
from edge_sr.evaluation.hr_set import find_references
from edge_sr.evaluation.measure import EvaluationRequest, evaluate, unique_names
from edge_sr.evaluation.pairs import pairs
from edge_sr.evaluation.results import Evaluation, load
from edge_sr.quality import LUMA_BT2020, compare, pair_sizes
from edge_sr.resample import resize
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two references of unlike size, a file that is no picture, and one that macOS leaves."""
    references = tmp_path / "references"
    references.mkdir()
    for name, size in (("a.png", (61, 47)), ("b.png", (52, 66))):
        Image.fromarray(reference_card(*size)).save(references / name)
    (references / "notes.txt").write_text("no picture")
    (references / "._a.png").write_bytes(b"\0\5\x16\7")
    return references


def request_for(folder: Path, *scales: str, with_crops: bool = False) -> EvaluationRequest:
    wanted = tuple(map(Fraction, scales))
    return EvaluationRequest(
        ("diinn-nano",), find_references(folder, 4), wanted, ("fp32",), "onnxruntime", with_crops
    )


def run(folder: Path, *scales: str, with_crops: bool = False) -> Evaluation:
    return evaluate(request_for(folder, *scales, with_crops=with_crops), print)


def test_rows_are_those_asked_for(folder: Path) -> None:
    found = run(folder, "2", "2.5")
    assert [(r.bundle, r.precision, r.scale, r.images) for r in found.results] == [
        ("diinn-nano", "fp32", 2, 2),
        ("diinn-nano", "fp32", 2.5, 2),
    ]
    baselines = [(r.bundle, r.scale) for r in found.rivals]
    assert baselines[:4] == [("bicubic", 2), ("lanczos", 2), ("bicubic", 2.5), ("lanczos", 2.5)]
    assert baselines[4:] == [("diinn-nano x2 + lanczos", 2.5), ("diinn-nano x3 + lanczos", 2.5)]


def test_bundles_of_one_name_are_called_as_they_are_given(tmp_path: Path) -> None:
    shutil.copytree(open_bundle("diinn-nano").path, tmp_path / "mine")
    bundles = [open_bundle(name) for name in (str(tmp_path / "mine"), "diinn-nano", "diinn-edge")]
    assert unique_names(bundles) == [str(tmp_path / "mine"), "diinn-nano", "diinn-edge"]


def test_figures_are_the_mean_of_the_pictures(folder: Path) -> None:
    found = run(folder, "3").results[0]
    values = []
    with Upscaler("diinn-nano", backend="onnxruntime", precision="fp32") as upscaler:
        for path in sorted(folder.glob("[ab].png")):
            high = np.asarray(Image.open(path))
            sizes = pair_sizes((high.shape[1], high.shape[0]), Fraction(3))
            high = high[: sizes.high[1], : sizes.high[0]]
            values.append(compare(upscaler(resize(high, sizes.low), scale=3), high, Fraction(3)))
    assert (found.psnr_y, found.ssim_y, found.psnr_rgb) == pytest.approx(tuple(np.mean(values, axis=0)))


def test_the_self_ensemble_is_a_row_of_its_own(folder: Path) -> None:
    found = evaluate(dataclasses.replace(request_for(folder, "2", "2.5"), tta=True), print)
    rows = [(row.bundle, row.scale) for row in found.results]
    assert rows == [("diinn-nano", 2), ("diinn-nano", 2.5), ("diinn-nano tta", 2), ("diinn-nano tta", 2.5)]
    assert not any("tta" in row.bundle for row in found.rivals)
    assert [speed.bundle for speed in found.speed] == [row.bundle for row in found.results]
    with Upscaler("diinn-nano", backend="onnxruntime", precision="fp32", tta=True) as upscaler:
        values = [
            compare(upscaler(pair.low, size=pair.size), pair.high, Fraction(2))
            for pair in pairs(find_references(folder, 4), Fraction(2))
        ]
    assert found.results[2].psnr_y == pytest.approx(np.mean([value.psnr_y for value in values]))


def test_json_reads_back(folder: Path, tmp_path: Path) -> None:
    found = run(folder, "2", with_crops=True)
    file = tmp_path / "found.json"
    file.write_text(json.dumps(found.mapping(), allow_nan=False))
    assert load(file) == found
    row = json.loads(file.read_text())["results"][0]
    keys = {"bundle", "precision", "scale", "psnr_y", "ssim_y", "psnr_rgb", "images"}
    assert set(row) - {"vmaf"} == keys
    assert set(found.worst[0].crops) == set(CROP_NAMES)


def test_other_json_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text('{"results": []}')
    with pytest.raises(ConfigError, match=r"other\.json"):
        load(file)


def test_equal_pictures_have_no_number(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(tmp_path / "flat.png")
    baseline = run(tmp_path, "2").rivals[0]
    assert baseline.psnr_y is None and baseline.ssim_y == pytest.approx(1)


def test_an_equal_picture_is_left_out_of_the_mean_and_counted(tmp_path: Path) -> None:
    Image.fromarray(reference_card(61, 47)).save(tmp_path / "card.png")
    alone = run(tmp_path, "2").results[0]
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "black.png")
    found = run(tmp_path, "2")
    row, bicubic = found.results[0], found.rivals[0]
    assert "equal" not in alone.mapping()
    assert (bicubic.equal, bicubic.images) == (1, 2) and bicubic.psnr_y is not None
    assert row.psnr_y is not None
    assert row.equal is None or row.psnr_y == pytest.approx(alone.psnr_y)
    assert "without 1 of 2, equal" in table(found)


def test_pairs_fit_the_scale(folder: Path) -> None:
    for pair in pairs(find_references(folder, 1), Fraction("2.5")):
        assert pair.size == tuple(int(side * 2.5 + 0.5) for side in (pair.low.shape[1], pair.low.shape[0]))


def test_worst_box_finds_the_error() -> None:
    reference = reference_card(300, 200)
    broken = reference.copy()
    broken[150:160, 240:250] ^= 255
    x, y, width, height = worst_box(broken, reference, 4)
    assert (width, height) == (SIDE, SIDE)
    assert x <= 240 and x + width >= 250 and y <= 150 and y + height >= 160


def test_what_cannot_be_measured(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="nothing at"):
        find_references(tmp_path / "absent", 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputNotFoundError, match="found none"):
        find_references(tmp_path / "empty", 1)
    with pytest.raises(OptionError, match="--frames"):
        find_references(folder, 0)
    with pytest.raises(OptionError, match="twice"):
        request_for(folder, "2", "2.0")
    Image.fromarray(reference_card(18, 18)).save(folder / "small.png")
    with pytest.raises(MediaError, match=r"small\.png is too small"):
        run(folder, "4")


def test_deep_and_broken_pictures_are_named(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((20, 20), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(MediaError, match="more than 8 bits"):
        list(find_references(tmp_path / "deep.png", 1))
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(MediaError, match=r"cut\.png"):
        list(find_references(tmp_path / "cut.png", 1))


def test_a_films_frames_are_spread(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", 10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for i in range(10):
            grey = np.full((32, 32, 3), 20 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    found = list(find_references(path, 5))
    assert [reference.name for reference in found] == [f"film.mkv frame {i}" for i in (1, 3, 5, 7, 9)]
    levels = [int(reference.pixels.mean()) for reference in found]
    assert np.allclose(levels, [20, 60, 100, 140, 180], atol=3)


def test_an_hdr_film_is_measured_in_its_own_signal(tmp_path: Path) -> None:
    colours = (9, 1, 9, 16)
    making = Making((64, 48), 2, codec="ffv1", pixel_format="yuv444p10le", colours=colours)
    request = request_for(make_film(tmp_path / "hdr.mkv", making), "2")
    found = evaluate(request, print)
    assert "HDR, PQ (SMPTE ST 2084): all figures are of that signal" in found.protocol
    (pair, _) = pairs(request.references, Fraction(2))
    assert pair.high.dtype == pair.low.dtype == np.float32
    ten_bits = pair.low * (1023 / 255)
    np.testing.assert_allclose(ten_bits, np.rint(ten_bits), atol=1e-3)
    with Upscaler("diinn-nano", backend="onnxruntime", precision="fp32") as upscaler:
        values = [
            compare(
                upscaler(pair.low / np.float32(255), size=pair.size) * 255,
                pair.high,
                Fraction(2),
                LUMA_BT2020,
            ).psnr_y
            for pair in pairs(request.references, Fraction(2))
        ]
    assert found.results[0].psnr_y == pytest.approx(np.mean(values), abs=1e-4)
    assert found.rivals[1].psnr_y is not None
