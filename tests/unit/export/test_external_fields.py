"""How far an ONNX network's pixels see: computed, measured, or the whole frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper
from support.external_onnx import IDENTITY, model, saved

from edge_sr.backends.single_graph.runner import RESAMPLING_REACH
from edge_sr.bundle import Bundle
from edge_sr.errors import MemoryLimitError, ParityError
from edge_sr.export.external.network import export_external
from edge_sr.export.external.probe import Stated
from edge_sr.export.receptive import receptive_radius
from edge_sr.machine import memory
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler

FRAME = reference_card(61, 47)


def test_a_field_without_bound_is_found_and_runs_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = export_external(saved(tmp_path, model(whole=True)), IDENTITY, tmp_path / "out", Stated())
    assert bundle.description.whole_frames
    assert "whole frame" in bundle.description.extra["field"]
    small = bundle.description.working_bytes * 900
    with Upscaler(bundle, backend="onnxruntime", precision="fp32", block_bytes=small) as upscaler:
        everything = upscaler(FRAME, scale=2)
        part = upscaler(FRAME, scale=2, region=(10, 5, 20, 30))
        monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 20)
        with pytest.raises(MemoryLimitError, match="external cannot run in parts, and 61x47 at once needs"):
            upscaler(FRAME, scale=2)
    np.testing.assert_array_equal(part, everything[10:70, 20:60])


def between(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    """The small network with ``nodes`` from "b" to "c", both ``1 x 8 x h x w``."""
    made = model()
    made.graph.node.pop(2)
    for node in reversed(nodes):
        made.graph.node.insert(2, node)
    return made


def _scaled(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    """By what ``nodes`` make of "b": ``m``."""
    return between(
        *nodes, helper.make_node("Sigmoid", ["m"], ["s"]), helper.make_node("Mul", ["b", "s"], ["c"])
    )


FRAME_WIDE = {
    "GlobalMaxPool": lambda: _scaled(helper.make_node("GlobalMaxPool", ["b"], ["m"])),
    "ReduceMax": lambda: _scaled(helper.make_node("ReduceMax", ["b"], ["m"], axes=[2, 3])),
    "ReduceMin": lambda: _scaled(
        helper.make_node("Transpose", ["b"], ["t"], perm=[0, 2, 3, 1]),
        helper.make_node("ReduceMin", ["t"], ["u"], axes=[1, 2]),
        helper.make_node("Transpose", ["u"], ["m"], perm=[0, 3, 1, 2]),
    ),
    "DynamicQuantizeLinear": lambda: between(
        helper.make_node("DynamicQuantizeLinear", ["b"], ["q", "scale", "zero"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["c"]),
    ),
    "Softmax": lambda: between(
        helper.make_node("Softmax", ["b"], ["m"], axis=3), helper.make_node("Add", ["b", "m"], ["c"])
    ),
}


@pytest.mark.parametrize("operator", FRAME_WIDE)
def test_an_operator_that_takes_the_frame_s_largest_value_runs_whole(tmp_path: Path, operator: str) -> None:
    bundle = export_external(saved(tmp_path, FRAME_WIDE[operator]()), IDENTITY, tmp_path / "out", Stated())
    assert bundle.description.whole_frames
    assert f"operator {operator} reads all of it" in bundle.description.extra["field"]


def test_a_value_taken_over_channels_alone_leaves_the_field_bounded(tmp_path: Path) -> None:
    made = _scaled(helper.make_node("ReduceMax", ["b"], ["m"], axes=[1]))
    bundle = export_external(saved(tmp_path, made), IDENTITY, tmp_path / "out", Stated())
    assert not bundle.description.whole_frames
    assert "measured" in bundle.description.extra["field"]


def test_a_largest_value_that_no_operator_tells_of_is_seen_in_a_crop(tmp_path: Path) -> None:
    made = _scaled(helper.make_node("MaxPool", ["b"], ["m"], kernel_shape=[3, 399], pads=[1, 199, 1, 199]))
    bundle = export_external(saved(tmp_path, made), IDENTITY, tmp_path / "out", Stated())
    assert bundle.description.whole_frames


def dilated(*dilations: int, unknown: bool) -> onnx.ModelProto:
    """Windows of nine pixels, few of them near; ``kernel_shape`` is left out, as ONNX allows.

    ``unknown``: with an operator whose field is not computed, though it does nothing.
    """
    weights = np.zeros((8, 1, 3, 3), np.float32)
    weights[:, :, 1, 1], weights[:, :, ::2, ::2] = 0.96, 0.01
    nodes, name = [], "b"
    for i, dilation in enumerate(dilations):
        more = {"pads": [dilation] * 4, "dilations": [dilation] * 2, "group": 8}
        nodes.append(helper.make_node("Conv", [name, "sparse"], [f"dilated.{i}"], **more))
        name = f"dilated.{i}"
    made = between(*nodes, helper.make_node("Dropout" if unknown else "Identity", [name], ["c"]))
    made.graph.initializer.append(numpy_helper.from_array(weights, "sparse"))
    return made


def error_of_a_region(bundle: Bundle) -> int:
    """Largest difference in levels between a region and the same of the whole, in noise."""
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    with Upscaler(bundle, backend="onnxruntime", precision="fp32") as upscaler:
        whole = upscaler(noise, scale=2)[400:420, 400:420].astype(int)
        return int(np.abs(whole - upscaler(noise, scale=2, region=(200, 200, 10, 10))).max())


def test_a_kernel_s_size_is_read_from_its_weights(tmp_path: Path) -> None:
    made = saved(tmp_path, dilated(3, 9, unknown=False))
    bundle = export_external(made, IDENTITY, tmp_path / "out", Stated())
    assert bundle.description.radius == 2 + 3 + 9 + RESAMPLING_REACH
    assert "computed from the graph" in bundle.description.extra["field"]


def enlarging(mode: str, placed: str, factors: list[float]) -> onnx.ModelProto:
    """The small network with an enlargement inside."""
    by = {"mode": mode, "coordinate_transformation_mode": placed}
    made = between(helper.make_node("Resize", ["b", "", "factors"], ["c"], **by))
    made.graph.initializer.append(numpy_helper.from_array(np.array(factors, np.float32), "factors"))
    return made


@pytest.mark.parametrize(
    ("mode", "placed"), [("nearest", "asymmetric"), ("linear", "half_pixel"), ("cubic", "pytorch_half_pixel")]
)
def test_what_an_enlargement_inside_reads_is_computed(tmp_path: Path, mode: str, placed: str) -> None:
    path = saved(tmp_path, enlarging(mode, placed, [1, 1, 3, 3]))
    bundle = export_external(path, IDENTITY, tmp_path / "out", Stated())
    assert "computed from the graph" in bundle.description.extra["field"]
    with Upscaler(bundle, backend="onnxruntime", precision="fp32") as upscaler:
        whole = upscaler(FRAME, scale=6)[120:180, 150:240].astype(int)
        part = upscaler(FRAME, scale=6, region=(25, 20, 15, 10))
    assert np.abs(whole - part).max() <= 1


@pytest.mark.parametrize(
    ("placed", "factors"), [("align_corners", [1, 1, 2, 2]), ("half_pixel", [1, 1, 1.5, 1.5])]
)
def test_what_depends_on_the_size_is_not_computed(placed: str, factors: list[float]) -> None:
    with pytest.raises(ParityError, match="operator Resize"):
        receptive_radius(enlarging("linear", placed, factors))


def test_a_picture_is_told_from_constants_that_are_listed_as_inputs() -> None:
    made = model()
    listed = [
        helper.make_tensor_value_info(value.name, TensorProto.FLOAT, value.dims)
        for value in made.graph.initializer
    ]
    inputs = [*listed, *made.graph.input]
    del made.graph.input[:]
    made.graph.input.extend(inputs)
    assert receptive_radius(made) == receptive_radius(model()) == 2


def test_a_gap_wider_than_a_trial_picture_is_looked_beyond(tmp_path: Path) -> None:
    made = saved(tmp_path, dilated(100, 40, unknown=True))
    bundle = export_external(made, IDENTITY, tmp_path / "out", Stated())
    assert bundle.description.radius == 2 + 100 + 40 + RESAMPLING_REACH
    assert "measured" in bundle.description.extra["field"]
    assert error_of_a_region(bundle) <= 1


def test_a_gap_wider_than_all_trial_pictures_runs_whole(tmp_path: Path) -> None:
    made = saved(tmp_path, dilated(100, 80, unknown=True))
    bundle = export_external(made, IDENTITY, tmp_path / "out", Stated())
    assert bundle.description.whole_frames


def test_a_dilated_transposed_convolution_reads_its_whole_span() -> None:
    graph = helper.make_graph(
        [helper.make_node("ConvTranspose", ["image", "w"], ["frame"], strides=[2, 2], dilations=[5, 5])],
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, "h", "w"])],
        [helper.make_tensor_value_info("frame", TensorProto.FLOAT, [1, 1, "H", "W"])],
        [numpy_helper.from_array(np.ones((1, 1, 3, 3), np.float32), "w")],
    )
    assert receptive_radius(helper.make_model(graph)) == 5
