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


def test_names_survive_weights_that_the_exporter_computed_anew() -> None:
    """EDSR's scaled residuals: folded into weights whose names differ from one precision to the next."""
    import onnx
    from networks import LAYOUTS

    from edge_sr.calibration.layers import GraphMap
    from edge_sr.export.picture import build_network_graph
    from edge_sr.models.published import build_network
    from edge_sr.spec import PublishedSpec

    options = {**LAYOUTS["edsr"].narrow, "res_scale": 0.1}
    spec = PublishedSpec("made", "edsr", options)
    graphs: list[onnx.ModelProto] = [
        build_network_graph(spec, build_network(spec), precision) for precision in ("fp32", "fp16")
    ]
    maps = [GraphMap(graph) for graph in graphs]
    assert list(maps[0].layers) == list(maps[1].layers)
    assert {"head.0", "body.0.body.0", "conv.2", "conv.4", "body.2"} <= maps[0].layers.keys()
    assert set(maps[0].points.values()) == set(maps[1].points.values())
    assert len(set(maps[0].points.values())) == len(maps[0].points)
