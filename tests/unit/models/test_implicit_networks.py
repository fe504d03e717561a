"""LIIF and Meta-SR: their papers' formulas, their checkpoints, and the road to the device that DIINN takes."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support.checkpoints import EDSR_BASELINE, NARROW, RDN_B
from support.cuda.device import FakeDriver
from support.engine_standin import runner_for
from support.recipes import lenient_recipe
from support.rtx_builds import build_all
from support.scenes import scene, write_scenes

from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.onnxruntime.runner import OnnxRunner
from edge_sr.benchmark.cost import Cost, split_cost
from edge_sr.bundle import Bundle, Source, open_bundle, read_bundle
from edge_sr.calibration.calibrate import CalibrationRequest, calibrate
from edge_sr.errors import CheckpointError
from edge_sr.export.bundle import Identity
from edge_sr.export.checkpoint import export_checkpoint
from edge_sr.export.split.liif import liif_form
from edge_sr.files.config import load_toml, to_mapping
from edge_sr.grid import sampling_grid
from edge_sr.models.checkpoint import build, load_checkpoint
from edge_sr.models.implicit.points import ImplicitNetwork
from edge_sr.spec import EncoderSpec, ModelSpec, PublishedSpec
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler

WIDTHS = {"liif": (16, 12), "metasr": (16,)}
FRAME = reference_card(61, 47)
SIZES = ((165, 127), (122, 94), (61, 47))


def made(network: str, encoder: EncoderSpec = NARROW["rdn"], widths: Any = None) -> ImplicitNetwork:
    torch.manual_seed(5)
    options = {"encoder": to_mapping(encoder), "widths": widths or WIDTHS[network]}
    return build(PublishedSpec("made", network, options)).eval()  # type: ignore[return-value]


def lightning_file(network: ImplicitNetwork, arch: str, path: Path) -> Path:
    """The layout of DIINN's repository, where `mode` and `init_q` stand in every file."""
    state = {f"net.{key}": tensor for key, tensor in network.state_dict().items()}
    state["sub"] = state["div"] = torch.full((1, 1, 1, 1), 0.5)
    torch.save({"state_dict": state, "hyper_parameters": {"arch": arch, "mode": 1, "init_q": False}}, path)
    return path


def own_file(network: ImplicitNetwork, name: str, path: Path, **arguments: Any) -> Path:
    """The layout of LIIF's repository, with the constants that its EDSR carries and does not apply."""
    state = dict(network.state_dict())
    if "encoder.head.0.weight" in state:
        for part in ("sub_mean", "add_mean"):
            state[f"encoder.{part}.weight"] = torch.eye(3).reshape(3, 3, 1, 1)
            state[f"encoder.{part}.bias"] = torch.ones(3)
    model = {
        "name": name,
        "args": {"encoder_spec": {"name": "edsr-baseline", "args": {}}, **arguments},
        "sd": state,
    }
    torch.save({"model": model, "optimizer": {"name": "adam", "sd": {}}, "epoch": 7}, path)
    return path


# One worker exports a network and runs all of its tests.
@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ("liif", "metasr")],
)
def travelled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ImplicitNetwork, Bundle]:
    """A network, and the bundle that its checkpoint became."""
    folder, network = tmp_path_factory.mktemp("implicit"), made(request.param)
    loaded = load_checkpoint(lightning_file(network, request.param, folder / "last.ckpt"))
    export_checkpoint(loaded, Identity("made", "1", Source("last.ckpt", "0" * 64)), folder / "made")
    return network, read_bundle(folder / "made")


def of_the_formulas(network: Any, picture: Any, size: tuple[int, int]) -> Any:
    """LIIF and Meta-SR pixel by pixel, in float64, straight from the papers; ``size`` is (H, W)."""
    network = network.double()
    features = network.encode(picture.double())
    (h, w), (high, wide) = features.shape[2:], size
    unfolded = torch.nn.functional.unfold(features, 3, padding=1).reshape(-1, h, w)
    pixel = liif_pixel if network.imnet.layers[0].in_features > 3 else metasr_pixel
    rows = [[pixel(network, unfolded, (i, j), (h, w), size) for j in range(wide)] for i in range(high)]
    return 0.5 * torch.stack([torch.stack(row) for row in rows]) + 0.5


def liif_pixel(network: Any, unfolded: Any, at: Any, before: Any, after: Any) -> Any:
    votes = []
    for v in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        place = [
            min(max(((2 * i + 1) * n + side * m) // (2 * m), 0), n - 1)
            for i, n, m, side in zip(at, before, after, v, strict=True)
        ]
        offset = [
            ((2 * i + 1) / m - (2 * row + 1) / n) * n
            for i, n, m, row in zip(at, before, after, place, strict=True)
        ]
        cell = [2 * n / m for n, m in zip(before, after, strict=True)]
        inputs = torch.cat(
            (unfolded[:, place[0], place[1]], torch.tensor(offset + cell, dtype=torch.float64))
        )
        votes.append((network.imnet(inputs), abs(offset[0] * offset[1]) + 1e-9))
    total = sum(area for _, area in votes)
    return sum(vote * opposite[1] / total for (vote, _), opposite in zip(votes, reversed(votes), strict=True))


def metasr_pixel(network: Any, unfolded: Any, at: Any, before: Any, after: Any) -> Any:
    place = [(i * n) // m for i, n, m in zip(at, before, after, strict=True)]
    fractions = [i * n / m - row for i, n, m, row in zip(at, before, after, place, strict=True)]
    inputs = torch.tensor([*fractions, before[0] / after[0]], dtype=torch.float64)
    return unfolded[:, place[0], place[1]] @ network.imnet(inputs).reshape(-1, 3)


@pytest.mark.parametrize("name", ["liif", "metasr"])
@pytest.mark.parametrize("size", [(5, 4), (9, 11), (10, 8)])
def test_the_reference_is_the_papers(name: str, size: tuple[int, int]) -> None:
    network, picture = made(name), torch.rand(1, 3, 5, 4)
    with torch.inference_mode():
        found = network(picture, size)[0].permute(1, 2, 0)
        wanted = of_the_formulas(network, picture, size)
    torch.testing.assert_close(found.double(), wanted, atol=2e-6, rtol=0)


def test_parity_was_measured_at_every_scale(travelled: tuple[ImplicitNetwork, Bundle]) -> None:
    cases = travelled[1].description.parity["cases"]
    assert len(cases) == 9
    assert all(case["fp32_difference"] <= 1e-5 and case["fp16_levels"] <= 2 for case in cases)


@pytest.mark.parametrize("size", SIZES)
def test_the_runtime_equals_the_reference(travelled: tuple[ImplicitNetwork, Bundle], size: Any) -> None:
    network, bundle = travelled
    unit = FRAME.astype(np.float32) / 255
    with torch.inference_mode(), Upscaler(bundle, backend="onnxruntime", precision="fp32") as upscaler:
        found = upscaler(unit, size=size)
        wanted = network(torch.from_numpy(unit).permute(2, 0, 1)[None], size[::-1])
    np.testing.assert_allclose(found, wanted[0].permute(1, 2, 0).clamp(0, 1).numpy(), atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_gpus_runner_gives_the_cpus_picture(
    travelled: tuple[ImplicitNetwork, Bundle], precision: str
) -> None:
    """The real runner over stand-ins of its engines and its driver."""
    image, grid, driver = FRAME[None], sampling_grid((61, 47), SIZES[0]), FakeDriver()
    with runner_for(travelled[1], driver, precision) as runner:
        found = runner.decode(runner.encode(image), image, grid)
    driver.close()
    with OnnxRunner(RunnerConfig(travelled[1], precision)) as runner:
        wanted = runner.decode(runner.encode(image), image, grid)
    assert np.abs(found.astype(int) - wanted.astype(int)).max() <= 1
    assert np.mean(found != wanted) < 1e-3


def test_blocks_and_regions_equal_the_whole_frame(travelled: tuple[ImplicitNetwork, Bundle]) -> None:
    bundle, size = travelled[1], SIZES[0]
    small = bundle.description.working_bytes * 1200
    with (
        Upscaler(bundle, backend="onnxruntime", precision="fp32") as upscaler,
        Upscaler(bundle, backend="onnxruntime", precision="fp32", block_bytes=small) as in_blocks,
    ):
        encoded = upscaler.encode(FRAME)
        whole = upscaler(FRAME, size=size).astype(int)
        part = upscaler.decode(encoded, size=size, region=(20, 10, 25, 30))
        np.testing.assert_array_equal(upscaler.decode(encoded, size=size), whole)
        assert in_blocks.encode(FRAME).maps is None
        cut = in_blocks(FRAME, size=size)
    x, y = (2 * 20 * size[0] + 61) // (2 * 61), (2 * 10 * size[1] + 47) // (2 * 47)
    inner = whole[y : y + part.shape[0], x : x + part.shape[1]]
    for other, wanted in ((cut, whole), (part, inner)):
        assert np.abs(other - wanted).max() <= 1
        assert np.mean(other != wanted) < 1e-3


def test_the_radius_is_exact(travelled: tuple[ImplicitNetwork, Bundle]) -> None:
    """A changed LR pixel changes no output farther away, and at some size one that is as far."""
    network, bundle = travelled
    radius, middle, farthest = bundle.description.radius, 20, 0
    picture = torch.rand(1, 3, 41, 41)
    changed = picture.clone()
    changed[:, :, middle, middle] = 1 - changed[:, :, middle, middle]
    for side in (44, 82, 103):
        with torch.inference_mode():
            differs = (network(picture, (side, side)) != network(changed, (side, side)))[0].any(0).nonzero()
        nearest = sampling_grid((41, 41), (side, side)).rows
        farthest = max(farthest, *(abs(int(nearest[i]) - middle) for i in differs.flatten()))
    assert farthest == radius


@pytest.mark.parametrize("capability", ["7.5", "portable"])
def test_tensorrt_for_rtx_builds_it(
    travelled: tuple[ImplicitNetwork, Bundle], capability: str, tmp_path: Path
) -> None:
    pytest.importorskip("tensorrt_rtx")
    built = build_all(travelled[1], capability, tmp_path / "cache", sizes=((64, 48),))
    keys = [item.engine.manifest.key for item in built]
    assert {(key.part, key.precision, key.io) for key in keys} == set(
        itertools.product(("encoder", "decoder"), ("fp32", "fp16"), ("uint8", "float"))
    )


def test_it_calibrates(travelled: tuple[ImplicitNetwork, Bundle], tmp_path: Path) -> None:
    """The positional terms are no layers; everything else may be rounded."""
    folders = (write_scenes(tmp_path / "scenes", 4),)
    request = CalibrationRequest(
        travelled[1], folders, lenient_recipe(), tmp_path / "made", tmp_path / "memo.json"
    )
    done = calibrate(request, lambda message: None)
    layers = done.table.placements["int8"].layers
    assert "content" in layers
    assert not any(name.startswith("position") for name in layers)
    with Upscaler(done.bundle, backend="onnxruntime", precision="int8", threads=1) as up:
        assert up(scene(1), scale="1.5").shape == (120, 144, 3)


def test_the_rival_costs_what_diinn_edge_costs() -> None:
    spec = load_toml(Path(__file__).parents[3] / "export/rivals/liif-edge.toml", ModelSpec)
    rival, edge = Cost(*liif_form(build(spec.network())).macs), split_cost(open_bundle("diinn-edge").network)
    sizes = (320, 180), (640, 360)
    assert rival.gflop(*sizes) == pytest.approx(edge.gflop(*sizes), rel=0.05)
    assert rival.decoder == 4 * (4 * 32 + 3 * 32 * 32 + 3 * 32)


def test_corners_and_origin_of_a_shifted_part() -> None:
    whole = sampling_grid((17, 13), (45, 40))
    part = whole.part(slice(11, 30), slice(20, 33)).shifted(3, 5)
    np.testing.assert_array_equal(part.corner_rows, whole.corner_rows[11:30] - 3)
    np.testing.assert_array_equal(part.corner_cols, whole.corner_cols[20:33] - 5)
    np.testing.assert_array_equal(part.corner_y, whole.corner_y[:, :, 11:30])
    assert whole.corner_rows[0] == 0
    assert set(np.unique(whole.rows - whole.corner_rows)) == {0, 1}


@pytest.mark.parametrize("name", ["liif", "metasr"])
@pytest.mark.parametrize("kind", ["rdn", "edsr", "residual"])
def test_both_layouts_come_in(name: str, kind: str, tmp_path: Path) -> None:
    network = made(name, NARROW[kind])
    lightning = lightning_file(network, name, tmp_path / "last.ckpt")
    own = own_file(network, name, tmp_path / "epoch-last.pth")
    for path in (lightning, own):
        loaded = load_checkpoint(path)
        assert (loaded.spec.network, loaded.notes) == (name, ())
        for key, tensor in network.state_dict().items():
            assert torch.equal(loaded.tensors[key], tensor), key


def test_a_description_beside_the_weights(tmp_path: Path) -> None:
    from edge_sr.models.checkpoint import load_checkpoint as load

    torch.save(made("liif").state_dict(), tmp_path / "net.pth")
    encoder = to_mapping(NARROW["rdn"])
    stated = PublishedSpec("mine", "liif", {"encoder": encoder, "widths": [16, 12]})
    assert load(tmp_path / "net.pth", stated).spec.name == "mine"
    other = PublishedSpec("mine", "liif", {"encoder": {**encoder, "blocks": 3}})
    with pytest.raises(CheckpointError, match="the tensors make encoder"):
        load(tmp_path / "net.pth", other)


def test_what_is_not_taken_is_refused_by_name(tmp_path: Path) -> None:
    network = made("liif")
    for changes, message in (
        ({"local_ensemble": False}, "local_ensemble False"),
        ({"encoder_spec": {"name": "edsr"}}, "rdn or edsr-baseline, found 'edsr'"),
    ):
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(own_file(network, "liif", tmp_path / "net.pth", **changes))
    with pytest.raises(CheckpointError, match="states arch metasr, its tensors are liif's"):
        load_checkpoint(lightning_file(network, "metasr", tmp_path / "last.ckpt"))
    with pytest.raises(CheckpointError, match="arch liif or metasr, found 'lte'"):
        load_checkpoint(own_file(network, "lte", tmp_path / "net.pth"))
    state = {f"net.{key}": tensor for key, tensor in network.state_dict().items()}
    first = state["net.imnet.layers.0.weight"]
    torch.save({**state, "net.imnet.layers.0.weight": first[:, :-2]}, tmp_path / "short.pth")
    with pytest.raises(CheckpointError, match=r"expected 76 inputs .* found 74"):
        load_checkpoint(tmp_path / "short.pth")
    del state["net.imnet.layers.2.bias"]
    torch.save(state, tmp_path / "torn.pth")
    with pytest.raises(CheckpointError, match=r"tensor imnet\.layers\.2\.bias is missing"):
        load_checkpoint(tmp_path / "torn.pth")


@pytest.mark.full
@pytest.mark.parametrize("name", ["liif", "metasr"])
@pytest.mark.parametrize("encoder", [RDN_B, EDSR_BASELINE], ids=["rdn", "edsr"])
def test_the_papers_size_travels_the_whole_road(name: str, encoder: EncoderSpec, tmp_path: Path) -> None:
    widths = {"liif": (256, 256, 256, 256), "metasr": (256,)}[name]
    network = made(name, encoder, widths)
    loaded = load_checkpoint(own_file(network, name, tmp_path / "net.pth"))
    bundle = export_checkpoint(loaded, Identity("full", "1", Source("net.pth", "0" * 64)), tmp_path / "full")
    with Upscaler(bundle, backend="onnxruntime", precision="fp16") as upscaler:
        assert upscaler(FRAME[:24, :24], scale=2.5).shape == (60, 60, 3)
