"""INT8 on every CPU backend: near FP32, the same whatever the cut, and what auto may choose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.scenes import references, scene, write_scenes

from edge_sr.backends import autotune as choice
from edge_sr.backends.registry import BACKENDS
from edge_sr.bundle import Bundle
from edge_sr.sizes import output_region
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler

pytest.importorskip("onnx")
# One worker makes the calibrated bundle and runs all of its tests.
pytestmark = pytest.mark.xdist_group("int8")
CPU = [name for name in BACKENDS if not name.startswith("tensorrt")]


@pytest.fixture(scope="session")
def calibrated(nano: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """diinn-nano calibrated from made-up scenes, in a second or two."""
    from edge_sr.calibration.calibrate import CalibrationRequest, calibrate
    from edge_sr.calibration.recipe import Budget, Recipe

    folder = tmp_path_factory.mktemp("int8")
    frames = write_scenes(folder / "scenes", 6)
    recipe = Recipe(
        method="minmax", range_frames=4, loss_frames=2, crop=64, scales=("2",), budget=Budget(1.0, 3.0)
    )
    request = CalibrationRequest(nano, (frames,), recipe, folder / "nano", folder / "memo.json")
    return calibrate(request, lambda message: None).bundle


@pytest.fixture(params=CPU)
def up(request: pytest.FixtureRequest, calibrated: Bundle) -> Iterator[Upscaler]:
    reason = BACKENDS[request.param].unavailable_reason()
    if reason:
        pytest.skip(f"{request.param}: {reason}")
    with Upscaler(calibrated, backend=request.param, precision="int8", threads=2) as upscaler:
        yield upscaler


def assert_alike(found: np.ndarray, expected: np.ndarray) -> None:
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 1e-3


@pytest.mark.parametrize("scale", ["1", "1.5", "2", "2.7"])
def test_near_fp32(up: Upscaler, calibrated: Bundle, scale: str) -> None:
    assert (up.precision, up.scheme) == ("int8", "int8-cpu")
    for picture in (scene(1), scene(9), reference_card(61, 47)):
        with Upscaler(calibrated, backend="onnxruntime", precision="fp32", threads=2) as exact:
            expected = exact(picture, scale=scale).astype(float)
        assert np.sqrt(np.mean((up(picture, scale=scale) - expected) ** 2)) < 2.0


def test_the_float_pair_agrees(up: Upscaler) -> None:
    picture = scene(2)
    unit = up(picture.astype(np.float32) / 255, scale="1.7")
    assert np.abs(unit * 255 - up(picture, scale="1.7")).mean() < 0.5


def test_a_region_is_that_crop_of_the_whole(up: Upscaler) -> None:
    picture = scene(3)
    whole = up(picture, scale="1.7")
    for region in ((0, 0, 96, 80), (31, 25, 20, 30), (95, 79, 1, 1)):
        box = output_region(region, (96, 80), (whole.shape[1], whole.shape[0]))
        assert_alike(up(picture, scale="1.7", region=region), whole[box.y0 : box.y1, box.x0 : box.x1])


def test_blocks_have_no_seams(up: Upscaler, calibrated: Bundle) -> None:
    picture = scene(4)
    options = {"backend": up.backend, "precision": "int8", "threads": 2}
    with Upscaler(calibrated, block_bytes=1 << 20, **options) as in_blocks:
        assert_alike(in_blocks(picture, scale="2.3"), up(picture, scale="2.3"))


def test_the_same_twice_is_bit_equal(up: Upscaler) -> None:
    assert np.array_equal(up(scene(5), scale=2), up(scene(5), scale=2))


def test_auto_measures_int8_too(calibrated: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert {"onnxruntime fp32", "onnxruntime int8"} <= choice.measured(calibrated, 1).milliseconds.keys()
    found = choice.choose(calibrated, "onnxruntime", "auto", 1)
    assert found.scheme == ("int8-cpu" if found.precision == "int8" else None)
    assert "onnxruntime" in found.times


def test_scenes_are_the_same_everywhere() -> None:
    assert [reference.name for reference in references(2)] == ["scene 0", "scene 1"]
    assert np.array_equal(scene(7), scene(7))
