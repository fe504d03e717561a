"""Networks from picture to picture: exported, and run at any size, in tiles and regions, like DIINN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support.networks import LAYOUTS
from support.rtx_builds import build_all

from edge_sr.benchmark.cost import bundle_cost
from edge_sr.bundle import Bundle, Source
from edge_sr.errors import ConfigError
from edge_sr.export.bundle import Identity
from edge_sr.export.checkpoint import export_checkpoint
from edge_sr.export.single_graph import build_network_graph, multiply_adds
from edge_sr.models.checkpoint import load_checkpoint
from edge_sr.models.families import build_network
from edge_sr.models.luma import Bicubic, luma
from edge_sr.resample import resize, resize_part, resize_planes
from edge_sr.spec import PublishedSpec
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler

# Two layouts of one network make the same graphs.
NAMES = [name for name in LAYOUTS if name != "edsr-basicsr"]
FRAME = reference_card(61, 47)
SIZE = (165, 127)


@pytest.fixture(
    scope="module",
    # One worker exports a network and runs all of its tests.
    params=[pytest.param((name, "narrow"), marks=pytest.mark.xdist_group(f"{name} alone")) for name in NAMES]
    + [pytest.param((name, "full"), marks=pytest.mark.full) for name in NAMES],
    ids="-".join,
)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """From a checkpoint as people have it."""
    name, size = request.param
    folder = tmp_path_factory.mktemp(name)
    layout = LAYOUTS[name]
    loaded = load_checkpoint(layout.write(size, folder / "net.pth"), layout.stated(size))
    identity = Identity("made", "1", Source("net.pth", loaded.sha256, loaded.notes))
    return export_checkpoint(loaded, identity, folder / "bundle")


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_blocks_and_regions_equal_the_whole_frame(bundle: Bundle, backend: str) -> None:
    pytest.importorskip(backend)
    with Upscaler(bundle, backend=backend, precision="fp32") as upscaler:
        whole = upscaler(FRAME, size=SIZE).astype(int)
        part = upscaler(FRAME, size=SIZE, region=(20, 10, 25, 30))
    small = bundle.description.working_bytes * 1500
    with Upscaler(bundle, backend=backend, precision="fp32", block_bytes=small) as upscaler:
        cut = upscaler(FRAME, size=SIZE)
    x, y = (2 * 20 * SIZE[0] + 61) // (2 * 61), (2 * 10 * SIZE[1] + 47) // (2 * 47)
    inner = whole[y : y + part.shape[0], x : x + part.shape[1]]
    for other, wanted in ((cut, whole), (part, inner)):
        assert np.abs(other - wanted).max() <= 1
        assert np.mean(other != wanted) < 1e-3


@pytest.mark.parametrize("capability", ["7.5", "portable"])
def test_tensorrt_for_rtx_builds_it(bundle: Bundle, capability: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    built = build_all(bundle, capability, tmp_path / "cache", sizes=((64, 48),))
    manifests = [item.engine.manifest for item in built]
    assert {manifest.key.part for manifest in manifests} == {"network"}
    assert {manifest.key.precision for manifest in manifests} == {"fp32", "fp16"}
    assert all(manifest.key.profiles[0]["image"].maximum == (1, 48, 64, 3) for manifest in manifests)


def test_its_work_is_counted_where_it_is_done(bundle: Bundle) -> None:
    low, high = bundle.description.macs
    assert (low > 0, high > 0) == (bundle.kind == "fixed", bundle.kind == "refine")
    assert bundle_cost(bundle).gflop((4, 3), (8, 6)) == pytest.approx(2e-9 * (12 * low + 48 * high))


def test_work_of_a_narrow_edsr() -> None:
    spec = LAYOUTS["edsr"].spec("narrow")
    graph = build_network_graph(spec, LAYOUTS["edsr"].random("narrow"), "fp32")
    head, body, enlarging, tail = 9 * 3 * 8, 5 * 9 * 8 * 8, 9 * 8 * 72, 9 * (9 * 8 * 3)
    assert multiply_adds(graph) == head + body + enlarging + tail


def test_float_frames(bundle: Bundle) -> None:
    with Upscaler(bundle, backend="onnxruntime", precision="fp32") as upscaler:
        levels = upscaler(FRAME, size=SIZE)
        unit = upscaler(FRAME.astype(np.float32) / 255, size=SIZE)
    assert unit.min() >= 0
    assert unit.max() <= 1
    # The uint8 road rounds between its steps, the float road does not.
    assert np.abs(255 * unit - levels).mean() < 0.6


def test_only_a_fixed_network_reaches_other_sizes_by_lanczos(bundle: Bundle) -> None:
    times = bundle.description.scale
    with Upscaler(bundle, backend="onnxruntime", precision="fp32") as upscaler:
        own = upscaler(FRAME, scale=times)
        other = upscaler(FRAME, size=SIZE)
    assert own.shape == (47 * times, 61 * times, 3)
    if bundle.kind == "refine":
        assert not np.array_equal(other, resize(own, SIZE, "lanczos3"))
        return
    np.testing.assert_array_equal(other, resize(own, SIZE, "lanczos3"))


def test_bicubic_of_the_graph_is_that_of_the_resampler() -> None:
    planes = np.random.default_rng(0).random((1, 3, 11, 14), dtype=np.float32)
    made = Bicubic(3)(torch.from_numpy(planes)).numpy()
    wanted = resize_planes(planes, (42, 33))
    np.testing.assert_allclose(made[..., 6:-6, 6:-6], wanted[..., 6:-6, 6:-6], atol=1e-6)


def test_luma_is_that_of_the_quality_protocol() -> None:
    white = luma(torch.ones(1, 3, 1, 1)).item()
    black = luma(torch.zeros(1, 3, 1, 1)).item()
    assert (white, black) == pytest.approx((235 / 255, 16 / 255))


def test_a_part_of_a_resized_picture() -> None:
    planes = np.random.default_rng(0).random((3, 40, 50), dtype=np.float32)
    for target in ((125, 100), (30, 77), (50, 40)):
        wanted = resize_planes(planes, target, "lanczos3")[..., 10:25, 7:29]
        made = resize_part(planes, ((50, 40), target), (7, 10, 29, 25), kernel="lanczos3")
        np.testing.assert_allclose(made, wanted, atol=1e-6)


def test_options_and_names_are_checked() -> None:
    with pytest.raises(ConfigError, match="unknown key 'scales'"):
        build_network(PublishedSpec("made", "fsrcnn", {"scales": 2}))
    with pytest.raises(ConfigError, match="srcnn, vdsr"):
        build_network(PublishedSpec("made", "swinir"))
