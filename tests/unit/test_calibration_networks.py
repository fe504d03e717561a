"""Calibration of networks that are not the shipped ones: dense encoders, modes, the unsplit decoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recipes import lenient_recipe
from scenes import scene, write_scenes

from edge_sr.runtime.upscaler import Upscaler

pytest.importorskip("torch")
pytestmark = pytest.mark.torch


# Dense blocks, content that varies at the output, a last layer with a halo, and another encoder.
NAMES = ("mode2", "mode3-init_q", "base-mode4", "edsr")


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_network_calibrates(
    narrow_bundles: Callable[[str], Any], tmp_path: Path, name: str
) -> None:
    from edge_sr.calibration.calibrate import Request, calibrate

    _, bundle = narrow_bundles(name)
    frames = write_scenes(tmp_path / "scenes", 4)
    done = calibrate(
        Request(bundle, (frames,), lenient_recipe(), tmp_path / "made", tmp_path / "memo.json"),
        lambda message: None,
    )
    assert done.table.placements["int8"].layers
    with Upscaler(done.bundle, backend="onnxruntime", precision="int8", threads=1) as up:
        assert up(scene(1), scale="1.5").shape == (120, 144, 3)
