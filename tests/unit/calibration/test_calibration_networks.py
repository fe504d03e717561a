"""Calibration of networks that are not the shipped ones: dense encoders, modes, networks of one graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from support.recipes import lenient_recipe
from support.scenes import scene, write_scenes

from edge_sr.bundle import Bundle
from edge_sr.errors import BudgetError, BundleError
from edge_sr.upscaler import Upscaler

pytest.importorskip("torch")
pytestmark = pytest.mark.torch


# Dense blocks, content that varies at the output, a last layer with a halo, and another encoder.
NAMES = ("mode2", "mode3-init_q", "base-mode4", "edsr")
# One worker exports and calibrates a network and runs all of its tests.
GROUPED = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in NAMES]
# What lies between the ends of networks of one graph. A deconvolution makes FSRCNN's frame; DRCN is recursive.
BETWEEN = {
    "edsr": [*(f"body.{i}.body.{j}" for i in (0, 1) for j in (0, 2)), "body.2", "tail.0.0"],
    "fsrcnn": [f"mid_part.{i}" for i in (0, 2, 4, 6)],
    "drcn": [
        "embedding.2",
        *("recursion", "reconstruction.0"),
        *("recursion.2", "reconstruction.0.2"),
        *("recursion.3", "reconstruction.0.3"),
    ],
    "srcnn": ["conv2"],
    "vdsr": [f"residual_layer.{i}.conv" for i in (0, 1)],
    "espcn": ["first_part.2"],
}
SEVERAL = [
    *(pytest.param(n, marks=pytest.mark.xdist_group(f"{n} calibrated")) for n in ("edsr", "fsrcnn", "drcn")),
    *(pytest.param(n, marks=pytest.mark.full) for n in list(BETWEEN)[3:]),
]
FEW = dataclasses.replace(lenient_recipe(), synthetic_images=1, scales=())


class Made(NamedTuple):
    """A narrow random network of one graph, exported and calibrated."""

    name: str
    plain: Bundle
    done: Any


def calibrated(bundle: Bundle, folder: Path, recipe: Any = FEW) -> Any:
    from edge_sr.calibration.calibrate import CalibrationRequest, calibrate

    frames = write_scenes(folder / "scenes", 4)
    request = CalibrationRequest(bundle, (frames,), recipe, folder / "made", folder / "memo.json")
    return calibrate(request, lambda message: None)


@pytest.mark.parametrize("name", GROUPED)
def test_every_kind_of_network_calibrates(
    narrow_bundles: Callable[[str], Any], tmp_path: Path, name: str
) -> None:
    _, bundle = narrow_bundles(name)
    done = calibrated(bundle, tmp_path, lenient_recipe())
    assert done.table.placements["int8"].layers
    with Upscaler(done.bundle, backend="onnxruntime", precision="int8", threads=1) as up:
        assert up(scene(1), scale="1.5").shape == (120, 144, 3)


@pytest.fixture(scope="module", params=SEVERAL)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp(request.param)
    bundle = exported(request.param, folder)
    return Made(request.param, bundle, calibrated(bundle, folder))


def exported(name: str, folder: Path) -> Bundle:
    from support.networks import LAYOUTS

    from edge_sr.bundle import Source
    from edge_sr.export.bundle import Identity
    from edge_sr.export.single_graph import export_picture_network

    layout, identity = LAYOUTS[name], Identity(name, "1", Source("net.pth", "0" * 64))
    return export_picture_network(layout.spec("narrow"), layout.random("narrow"), identity, folder / "bundle")


def test_a_network_of_one_graph_keeps_its_ends_in_float(made: Made) -> None:
    done, expected = made.done, BETWEEN[made.name]
    assert {scheme: list(entry.layers) for scheme, entry in done.table.placements.items()} == {
        "int8": expected,
        "int8-cpu": expected,
    }
    assert done.bundle.stored == ("fp32", "fp16", "int8", "int8-cpu")
    done.bundle.verify()


def test_it_is_priced_at_its_own_scale_unless_asked_otherwise(made: Made) -> None:
    own = made.plain.description.scale
    assert made.done.table.recipe.scales == (("1.5", "2", "2.5", "3", "4") if own == 1 else (str(own),))
    asked = dataclasses.replace(FEW, scales=("1.5", f"{own}.0")).settled(own)
    assert asked.scales == (("1.5", "1.0") if own == 1 else (str(own), "1.5"))


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_it_runs_in_int8_near_fp32(made: Made, backend: str) -> None:
    """On OpenVINO too, though it computes in bfloat16 around other INT8."""
    pytest.importorskip(backend)
    bundle = made.done.bundle
    for scale in ("2", "2.7"):
        with Upscaler(bundle, backend="onnxruntime", precision="fp32", threads=1) as up:
            exact = up(scene(9), scale=scale).astype(float)
        with Upscaler(bundle, backend=backend, precision="int8", threads=1) as up:
            assert (up.precision, up.scheme) == ("int8", "int8-cpu")
            rough = up(scene(9), scale=scale)
            unit = up(scene(9).astype(np.float32) / 255, scale=scale)
        assert 0 < np.sqrt(np.mean((rough - exact) ** 2)) < 0.6
        assert np.abs(255 * unit - rough).mean() < 0.6


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_its_blocks_and_regions_equal_the_whole(made: Made, backend: str) -> None:
    pytest.importorskip(backend)
    bundle, picture = made.done.bundle, scene(3)
    with Upscaler(bundle, backend=backend, precision="int8", threads=1) as up:
        whole = up(picture, scale=2).astype(int)
        part = up(picture, scale=2, region=(20, 10, 25, 30))
    small = bundle.description.working_bytes * 3000
    with Upscaler(bundle, backend=backend, precision="int8", threads=1, block_bytes=small) as up:
        cut = up(picture, scale=2)
        np.testing.assert_array_equal(up(picture, scale=2), cut)
    for other, wanted in ((cut, whole), (part, whole[20:80, 40:90])):
        assert np.abs(other - wanted).max() <= 1
        assert np.mean(other != wanted) < 1e-3


def test_its_price_is_of_the_pictures_that_people_get(made: Made) -> None:
    from fractions import Fraction

    from edge_sr.calibration.calibrate import subject_of
    from edge_sr.calibration.frames.selection import Sample
    from edge_sr.calibration.search.trial import Trial

    bundle, sample, scales = made.done.bundle, Sample.of("scene", scene(5)), (Fraction(3, 2), Fraction(3))
    subject = subject_of(bundle)
    trial = Trial(subject, subject.models, [sample], scales)
    with Upscaler(bundle, backend="onnxruntime", precision="fp32") as up:
        for scale, found in zip(scales, trial.reference, strict=True):
            low, high = sample.pair(scale)
            np.testing.assert_array_equal(found, up(low, size=(high.shape[1], high.shape[0])))


def test_tensorrt_for_rtx_builds_it_in_int8(made: Made, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    from support.rtx_builds import build_all

    for capability in ("8.9", "portable"):
        built = build_all(made.done.bundle, capability, tmp_path / capability, sizes=((64, 48),))
        keys = [item.engine.manifest.key for item in built]
        assert {(key.part, key.io) for key in keys if key.precision == "int8"} == {
            ("network", "uint8"),
            ("network", "float"),
        }


def test_the_same_frames_give_the_same_files(made: Made, tmp_path: Path) -> None:
    first, again = made.done.bundle.path, calibrated(made.plain, tmp_path).bundle.path
    for path in again.iterdir():
        assert path.read_bytes() == (first / path.name).read_bytes(), path.name


def test_a_budget_that_it_cannot_meet_leaves_nothing(tmp_path: Path) -> None:
    from edge_sr.calibration.recipe import Budget

    strict = dataclasses.replace(
        FEW, method="percentile", percentile=55, least_share=0.9, budget=Budget(1e-9, 1e-9)
    )
    bundle = external(tmp_path, middle=True)
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(BudgetError, match="no assignment") as failed:
        calibrated(bundle, tmp_path, strict)
    assert failed.value.exit_code == 4
    assert {path.name for path in tmp_path.iterdir()} == {*before, "scenes"}


def test_names_survive_weights_that_the_exporter_computed_anew() -> None:
    """EDSR's scaled residuals: folded into weights whose names differ from one precision to the next."""
    import onnx
    from support.networks import LAYOUTS

    from edge_sr.calibration.graph.layers import GraphMap
    from edge_sr.export.single_graph import build_network_graph
    from edge_sr.models.families import build_network
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


def test_factors_leave_a_shared_weight_alone(made: Made) -> None:
    import onnx

    from edge_sr.calibration.graph.layers import GraphMap
    from edge_sr.calibration.ranges.equalise import groups

    graph = GraphMap(onnx.load(made.done.bundle.graph("network", "fp32")))
    scaled = {tensor for group in groups(graph) for tensor in group}
    shared = [layer for layer in graph.layers.values() if graph.shares(layer)]
    assert not any({layer.source, layer.result} & scaled for layer in shared)
    # A factor does not pass the tanh between ESPCN's layers.
    assert bool(scaled) == (made.name != "espcn")


def external(folder: Path, **what: Any) -> Bundle:
    import onnx
    from support.external_onnx import model

    from edge_sr.bundle import Source
    from edge_sr.export.bundle import Identity
    from edge_sr.export.external.network import export_external
    from edge_sr.export.external.probe import Stated

    onnx.save_model(model(**what), folder / "net.onnx")
    identity = Identity("brought", "1", Source("net.onnx", "0" * 64))
    return export_external(folder / "net.onnx", identity, folder / "bundle", Stated())


@pytest.mark.parametrize("channels", [3, 1])
def test_an_external_network_calibrates(tmp_path: Path, channels: int) -> None:
    done = calibrated(external(tmp_path, channels=channels, middle=True), tmp_path)
    assert done.bundle.stored == ("fp32", "int8", "int8-cpu")
    assert done.table.placements["int8-cpu"].layers == ("middle",)
    with Upscaler(done.bundle, backend="onnxruntime", precision="int8", threads=1) as up:
        assert up(scene(1), scale="2.5").shape == (200, 240, 3)


@pytest.mark.parametrize(
    ("what", "says"), [({}, "nothing to quantise"), ({"middle": True, "opset": 11}, "opset 13")]
)
def test_an_external_network_without_a_way_to_int8_is_refused(
    tmp_path: Path, what: dict[str, Any], says: str
) -> None:
    with pytest.raises(BundleError, match=says):
        calibrated(external(tmp_path, **what), tmp_path)
    assert not (tmp_path / "made").exists()
