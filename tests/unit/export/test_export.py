"""The split graphs equal the reference, in every mode, and hold to the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper
from support.checkpoints import NARROW, PAPER_WIDTHS, RDN_B, all_modes, narrow_networks, random_network

from edge_sr.bundle import Source, read_bundle
from edge_sr.errors import OptionError, OutputExistsError, ParityError
from edge_sr.export import parity
from edge_sr.export.bundle import Identity, build_encoder, export_bundle
from edge_sr.export.operators import PORTABLE, check_operators
from edge_sr.export.receptive import receptive_radius
from edge_sr.export.rounding import rounding_twin
from edge_sr.export.split.diinn import SplitDecoder, SplitEncoder
from edge_sr.export.split.diinn_form import diinn_form
from edge_sr.spec import DecoderSpec, EncoderSpec
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler

# One worker exports a network and runs all of its tests.
NAMES = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in narrow_networks()]
IDENTITY = Identity("test", "1", Source("random", "0" * 64))


@pytest.mark.parametrize("name", NAMES)
def test_parity_was_measured_at_every_scale(name: str, narrow_bundles: Callable[[str], Any]) -> None:
    _, bundle = narrow_bundles(name)
    cases = read_bundle(bundle.path).description.parity["cases"]
    assert [case["scale"] for case in cases] == ["1", "2", "3", "4", "1.5", "2.7", "pi", "8", "2.2 x 3.7"]
    assert max(case["fp32_difference"] for case in cases) <= 1e-5
    assert min(case["fp16_db"] for case in cases) >= 55
    assert max(case["fp16_levels"] for case in cases) <= 2


@pytest.mark.parametrize("name", NAMES)
def test_graphs_hold_to_the_contract(name: str, narrow_bundles: Callable[[str], Any]) -> None:
    network, bundle = narrow_bundles(name)
    for graph in bundle.description.graphs:
        model = onnx.load(bundle.path / graph.file)
        assert model.ir_version == 9
        assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 19)]
        assert {node.op_type for node in model.graph.node} <= PORTABLE
        assert not model.metadata_props
    channels = network.spec.map_channels
    pad = "+2" if network.spec.decoder.init_q else ""
    encoder = bundle.find("encoder", "fp16", "uint8")
    assert [(p.name, p.dtype, p.shape) for p in encoder.inputs] == [("image", "uint8", (1, "h", "w", 3))]
    assert [(p.name, p.dtype, p.shape) for p in encoder.outputs] == [
        ("maps", "float16", (1, channels, f"h{pad}", f"w{pad}"))
    ]
    decoder = bundle.find("decoder", "fp32", "uint8")
    names = ["maps", "rows", "cols", "offset_y", "offset_x", "ratio"]
    assert [port.name for port in decoder.inputs] == names + ["image"] * network.spec.decoder.bilinear_base
    assert [port.dtype for port in decoder.inputs][1:3] == ["int32", "int32"]


@pytest.mark.parametrize("name", NAMES)
def test_the_runtime_equals_the_reference(name: str, narrow_bundles: Callable[[str], Any]) -> None:
    network, bundle = narrow_bundles(name)
    picture = reference_card(31, 26)
    for size in ((31, 26), (62, 52), (47, 91), (84, 71)):
        with torch.inference_mode():
            unit = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
            expected = network(unit, size[::-1]).clamp(0, 1)[0].permute(1, 2, 0).numpy()
        with Upscaler(bundle, backend="onnxruntime") as up:
            unit_picture = picture.astype(np.float32) / 255
            assert np.abs(up(unit_picture, size=size) - expected).max() <= 1e-5
            levels = up(picture, size=size)
            assert np.array_equal(up.decode(up.encode(picture), size=size), levels)
            difference = np.abs(levels.astype(int) - np.round(expected * 255))
            assert difference.max() <= 1
            assert np.mean(difference > 0) < 1e-3


def test_a_block_that_does_nothing_yet_keeps_its_tensors(tmp_path: Path) -> None:
    network = random_network(EncoderSpec("residual", 16, 2), DecoderSpec(3, False, (16, 16), True))
    with torch.no_grad():
        for tensor in network.encoder.body[1].conv2.parameters():
            tensor.zero_()
    bundle = export_bundle(network, IDENTITY, tmp_path / "bundle")
    for precision in ("fp32", "fp16"):
        graph = onnx.load(bundle.path / bundle.find("encoder", precision, "uint8").file).graph
        assert all(len(node.input) == 3 for node in graph.node if node.op_type == "Conv")
    picture = reference_card(31, 26)
    with Upscaler(bundle, backend="native") as up, Upscaler(bundle, backend="onnxruntime") as other:
        assert np.abs(up(picture, scale=2).astype(int) - other(picture, scale=2)).max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_building_leaves_the_network_as_it_is(name: str) -> None:
    network = narrow_networks()[name]
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    SplitEncoder(network, torch.float16)
    SplitDecoder(network, torch.float16)
    for key, tensor in network.state_dict().items():
        assert tensor.dtype == torch.float32, key
        assert torch.equal(tensor, before[key]), key


def two_casts() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Cast", ["x"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["half"], ["y"], to=TensorProto.FLOAT),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1000])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1000])
    graph = helper.make_graph(nodes, "two_casts", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def test_the_rounding_twin_truly_rounds() -> None:
    ort = pytest.importorskip("onnxruntime")
    random = np.random.default_rng(1)
    x = (random.choice([-1, 1], 1000) * 10 ** random.uniform(-4, 4, 1000)).astype(np.float32)
    session = ort.InferenceSession(
        rounding_twin(two_casts()).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rounded = session.run(None, {"x": x})[0]
    assert np.array_equal(rounded, x.astype(np.float16).astype(np.float32))
    assert not np.array_equal(rounded, x)
    small = (x * 1e-9).astype(np.float32)
    assert np.abs(session.run(None, {"x": small})[0] - small.astype(np.float16)).max() < 3e-8


@pytest.mark.parametrize(
    ("kind", "radius"), [("rdn", 2 + 2 * 3 + 1 + 1), ("edsr", 1 + 4 + 1 + 1), ("residual", 7)]
)
def test_the_receptive_field_is_read_off_the_graph_and_is_true(kind: str, radius: int) -> None:
    network = random_network(NARROW[kind], DecoderSpec(3, False, (8, 8)))
    assert receptive_radius(build_encoder(diinn_form(network), "fp32")) == radius
    # Nothing negative anywhere, so that no ReLU hides a path.
    network = network.double()
    for parameter in network.parameters():
        parameter.data.abs_()
    picture = torch.rand(1, 3, 1, 61, dtype=torch.float64) / 2 + 0.5
    changed = picture.clone()
    changed[..., 30] += 0.5
    with torch.inference_mode():
        difference = (network(picture, (1, 61)) - network(changed, (1, 61))).abs().amax((0, 1, 2))
    touched = torch.nonzero(difference).flatten()
    assert (int(touched[0]), int(touched[-1])) == (30 - radius, 30 + radius)


def test_a_graph_that_strays_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = narrow_networks()["one-layer"]
    honest = parity._reference
    monkeypatch.setattr(parity, "_reference", lambda *args: honest(*args) + np.float32(1e-3))
    with pytest.raises(ParityError, match="differs from the reference"):
        export_bundle(network, IDENTITY, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_fp16_graphs_that_fall_short_are_left_out_and_fp32_is_written(tmp_path: Path) -> None:
    network = narrow_networks()["one-layer"]
    block = network.encoder.body[0]
    with torch.no_grad():
        block.conv1.bias.zero_()
        block.conv1.weight.mul_(1e7)  # beyond what float16 holds; the next layer brings it back
        block.conv2.weight.mul_(1e-7)
    said: list[str] = []
    bundle = export_bundle(network, IDENTITY, tmp_path / "bundle", progress=said.append)
    assert bundle.precisions == ("fp32",)
    assert any("FP16 is left out" in line and "dB" in line for line in said)
    assert not list((tmp_path / "bundle").glob("*fp16*"))


def test_one_value_in_a_hundred_thousand_does_not_fail_fp16() -> None:
    few = parity.CaseResult("2", 0.0, 60.0, 3, fp16_beyond=1, values=100_000)
    many = parity.CaseResult("2", 0.0, 60.0, 3, fp16_beyond=11, values=100_000)
    assert parity.fp16_shortfall([few]) is None
    assert "11 of 100000 values" in (parity.fp16_shortfall([many]) or "")
    assert "54.0 dB" in (parity.fp16_shortfall([parity.CaseResult("3", 0.0, 54.0, 1, values=10)]) or "")


def test_an_existing_folder_and_an_unknown_precision_are_refused(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputExistsError):
        export_bundle(narrow_networks()["one-layer"], IDENTITY, tmp_path / "there")
    with pytest.raises(OptionError, match="edge-sr calibrate"):
        export_bundle(narrow_networks()["one-layer"], IDENTITY, tmp_path / "new", ["int8"])


def test_an_operator_outside_the_list_is_refused() -> None:
    model = two_casts()
    model.graph.node.append(helper.make_node("GridSample", ["y", "y"], ["z"]))
    with pytest.raises(ParityError, match="GridSample"):
        check_operators(model)


@pytest.mark.full
@pytest.mark.parametrize(("mode", "init_q"), all_modes())
def test_every_mode_at_the_papers_size(mode: int, init_q: bool, tmp_path: Path) -> None:
    network = random_network(RDN_B, DecoderSpec(mode, init_q, PAPER_WIDTHS))
    bundle = export_bundle(network, IDENTITY, tmp_path / "bundle")
    assert max(case["fp32_difference"] for case in bundle.description.parity["cases"]) <= 1e-4
