"""ONNX networks that users bring: found out by a probe, run like ours, and never trusted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper
from support.external_onnx import IDENTITY, model, saved

from edge_sr.bundle import read_bundle
from edge_sr.errors import CheckpointError, InputNotFoundError, OutputExistsError
from edge_sr.export.external.model import read_model
from edge_sr.export.external.network import export_external, freed
from edge_sr.export.external.probe import Stated, _least_multiple, probe
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler

FRAME = reference_card(61, 47)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", [3, 1])
def test_an_external_network_runs_at_any_size_in_blocks(tmp_path: Path, layout: str, channels: int) -> None:
    path = saved(tmp_path, model(layout=layout, channels=channels, top=255))
    bundle = export_external(path, IDENTITY, tmp_path / "out", Stated())
    description = read_bundle(tmp_path / "out").description
    assert (description.kind, description.scale, description.radius) == ("fixed", 2, 5)
    assert "computed from the graph" in description.extra["field"]
    small = description.working_bytes * 900
    with (
        Upscaler(bundle, backend="onnxruntime", precision="fp32") as upscaler,
        Upscaler(bundle, backend="onnxruntime", precision="fp32", block_bytes=small) as in_blocks,
    ):
        whole = upscaler(FRAME, scale=2.7).astype(int)
        cut = in_blocks(FRAME, scale=2.7)
    assert np.abs(cut - whole).max() <= 1
    assert np.mean(np.abs(whole - np.repeat(np.repeat(FRAME, 2, 0), 2, 1).mean())) > 1


@pytest.mark.parametrize("top", [1, 255])
def test_white_is_found_though_biases_made_for_1_hardly_count_at_255(tmp_path: Path, top: int) -> None:
    found = probe(saved(tmp_path, freed(model(top=top))))
    assert (found.top, found.output_top) == (top, top)


@pytest.mark.parametrize(("layout", "top"), [("NCHW", 1), ("NCHW", 255), ("NHWC", 255)])
def test_what_is_stated_is_not_tried_otherwise(tmp_path: Path, layout: str, top: int) -> None:
    path = saved(tmp_path, model(layout=layout, top=top))
    bundle = export_external(path, IDENTITY, tmp_path / "out", Stated(layout, top, 3))
    options = bundle.description.network.options  # type: ignore[union-attr]
    assert (options["layout"], options["top"], options["channels"], options["scale"]) == (layout, top, 3, 2)
    with pytest.raises(CheckpointError, match=r"refuses|dB"):
        export_external(path, IDENTITY, tmp_path / "other", Stated(layout, top, 1))
    assert not (tmp_path / "other").exists()


def test_a_network_of_one_size_alone_is_refused_as_such(tmp_path: Path) -> None:
    made = model()
    constants = {"sides": np.array([1, 8, 64, 64], np.int64)}
    made.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    made.graph.node[2].CopyFrom(helper.make_node("Resize", ["b", "", "", "sides"], ["resized"]))
    made.graph.node.insert(3, helper.make_node("Add", ["b", "resized"], ["c"]))
    with pytest.raises(CheckpointError, match=r"takes no picture of 37x29 .* with free height and width$"):
        export_external(saved(tmp_path, made), IDENTITY, tmp_path / "out", Stated())


def test_nodes_may_stand_behind_those_that_read_them(tmp_path: Path) -> None:
    made = model()
    first = made.graph.node[0].output[0]
    made.graph.node.append(made.graph.node.pop(0))
    read = read_model(saved(tmp_path, made))
    assert read.graph.node[0].output[0] == first
    assert {node.op_type for node in read.graph.node} == {node.op_type for node in model().graph.node}


@pytest.mark.parametrize(("multiple", "side"), [(1, 37), (8, 48), (64, 128), (128, 256)])
def test_multiples_are_tried_on_small_pictures(multiple: int, side: int) -> None:
    """A network of windows and attention takes gigabytes for large ones, and has so much memory and time."""
    sides = []

    def run(picture: np.ndarray) -> np.ndarray:
        if any(length % multiple for length in picture.shape[:2]):
            raise CheckpointError("refused")
        sides.extend(picture.shape[:2])
        return picture.repeat(2, 0).repeat(2, 1)

    assert _least_multiple(run, 3) == (multiple, 2)
    assert max(sides) == side


def windowed(multiple: int, made: onnx.ModelProto) -> onnx.ModelProto:
    """A network whose sides must be multiples: it goes through blocks of pixels, each with an opinion of its own."""
    channels = 3 * multiple**2
    opinion = np.linspace(-0.02, 0.02, channels, dtype=np.float32).reshape(1, channels, 1, 1)
    made.graph.initializer.append(numpy_helper.from_array(opinion, "opinion"))
    before = [
        helper.make_node("SpaceToDepth", ["picture"], ["packed"], blocksize=multiple),
        helper.make_node("Add", ["packed", "opinion"], ["moved"]),
        helper.make_node("DepthToSpace", ["moved"], ["planes"], blocksize=multiple),
    ]
    for node in reversed(before):
        made.graph.node.insert(0, node)
    made.graph.input[0].name = "picture"
    return made


@pytest.mark.parametrize("multiple", [2, 4, 12])
def test_sides_that_must_be_multiples_are_padded_by_mirrored_edges(tmp_path: Path, multiple: int) -> None:
    path = saved(tmp_path, windowed(multiple, model(layout="NCHW")))
    bundle = export_external(path, IDENTITY, tmp_path / "out", Stated("NCHW", 1, 3))
    description = read_bundle(tmp_path / "out").description
    assert description.multiple == multiple
    options = {"backend": "onnxruntime", "precision": "fp32"}
    small = description.working_bytes * 40**2
    with Upscaler(bundle, **options) as upscaler, Upscaler(bundle, **options, block_bytes=small) as in_blocks:  # type: ignore[arg-type]
        whole = upscaler(FRAME, scale=2)
        cut = in_blocks(FRAME, scale=2)
        part = upscaler(FRAME, scale=2, region=(7, 9, 30, 20))
        other = in_blocks(FRAME, scale=1.7)
    height, width = FRAME.shape[:2]
    padded = np.pad(FRAME, ((0, -height % multiple), (0, -width % multiple), (0, 0)), "reflect")
    free = freed(onnx.load(path)).SerializeToString()
    session = onnxruntime.InferenceSession(free, providers=["CPUExecutionProvider"])
    unit = padded.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    wanted = session.run(None, {"picture": unit})[0][0].transpose(1, 2, 0)[: 2 * height, : 2 * width]
    assert np.abs(np.rint(wanted.clip(0, 1) * 255) - whole).max() <= 1
    assert np.abs(cut.astype(int) - whole).max() <= 1
    np.testing.assert_array_equal(part, whole[18:58, 14:74])
    assert other.shape == (80, 104, 3)


def test_a_refining_network_of_multiples_runs_in_parts(tmp_path: Path) -> None:
    made = model()
    del made.graph.node[:]
    made.graph.node.append(helper.make_node("Identity", ["planes"], ["large"]))
    del made.graph.initializer[:]
    bundle = export_external(saved(tmp_path, windowed(8, made)), IDENTITY, tmp_path / "out", Stated())
    assert (bundle.kind, bundle.description.multiple) == ("refine", 8)
    with Upscaler(bundle, backend="onnxruntime", precision="fp32") as upscaler:
        whole = upscaler(FRAME, scale=2.3)
        part = upscaler(FRAME, scale=2.3, region=(11, 9, 30, 20))
    assert whole.shape == (108, 140, 3)
    y, x = (2 * 9 * 108 + 47) // 94, (2 * 11 * 140 + 61) // 122
    np.testing.assert_array_equal(part, whole[y : y + part.shape[0], x : x + part.shape[1]])


def test_a_float16_input_is_taken(tmp_path: Path) -> None:
    made = model()
    half = onnx.ModelProto()
    half.CopyFrom(made)
    for value in (*half.graph.input, *half.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    for tensor in half.graph.initializer:
        tensor.CopyFrom(
            numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name)
        )
    bundle = export_external(saved(tmp_path, half), IDENTITY, tmp_path / "half", Stated())
    plain = export_external(saved(tmp_path, made), IDENTITY, tmp_path / "plain", Stated())
    options = {"backend": "onnxruntime", "precision": "fp32"}
    with Upscaler(bundle, **options) as rough, Upscaler(plain, **options) as exact:  # type: ignore[arg-type]
        assert np.abs(rough(FRAME, scale=2).astype(int) - exact(FRAME, scale=2)).max() <= 1


def test_what_was_tried_and_why_it_failed_is_one_whole_line(tmp_path: Path) -> None:
    made = model(channels=1)
    made.graph.initializer.append(numpy_helper.from_array(np.array([1, 1, 48, 64], np.int64), "fixed"))
    made.graph.node.append(helper.make_node("Reshape", ["large", "fixed"], ["shaped"]))
    made.graph.output[0].name = "shaped"
    with pytest.raises(CheckpointError) as refused:
        export_external(saved(tmp_path, made), IDENTITY, tmp_path / "out", Stated())
    said = str(refused.value)
    assert "\n" not in said
    assert all(
        words in said for words in ("as luma NCHW", "as RGB NCHW", "Reshape", "the file states 1x1x24x32")
    )


TRIAL = """
import sys
from pathlib import Path
import onnx
from edge_sr.export.external import network, probe
probe.python_child = lambda *words: ["sh", "-c", "sleep 1; echo $$ > started; exec sleep 60"]
network._probed(Path("net.onnx"), onnx.ModelProto(), probe.Stated(), "")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM here")
def test_sigterm_ends_the_trial_and_takes_its_copy_away(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    running = subprocess.Popen([sys.executable, "-c", TRIAL], cwd=tmp_path, env=environment)
    started, deadline = tmp_path / "started", time.monotonic() + 60
    while not (started.exists() and started.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    running.terminate()
    assert running.wait(30) == 143
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
    assert not list((tmp_path / "tmp").iterdir())


Change = Callable[[onnx.ModelProto], Any]


def _custom(made: onnx.ModelProto) -> None:
    made.graph.node[0].domain = "evil.corp"
    made.opset_import.append(helper.make_opsetid("evil.corp", 1))


def _loop(made: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    made.graph.node.append(helper.make_node("Loop", ["", ""], ["never"], body=body))


def _huge(made: onnx.ModelProto) -> None:
    huge = TensorProto(name="huge", data_type=TensorProto.FLOAT, dims=[1 << 20, 1 << 20])
    made.graph.initializer.append(huge)


def _exploding(made: onnx.ModelProto) -> None:
    """Small on disk, a terabyte in memory."""
    shape = numpy_helper.from_array(np.array([1 << 20, 1 << 18], np.int64), "shape")
    made.graph.initializer.append(shape)
    made.graph.node.append(helper.make_node("ConstantOfShape", ["shape"], ["filled"]))
    made.graph.node.append(helper.make_node("ReduceSum", ["filled"], ["sum"], keepdims=0))
    made.graph.node.append(helper.make_node("Add", ["large", "sum"], ["more"]))
    made.graph.output[0].name = "more"


def _two_inputs(made: onnx.ModelProto) -> None:
    made.graph.input.append(helper.make_tensor_value_info("second_picture", TensorProto.FLOAT, [1, 3, 8, 8]))


def _old(made: onnx.ModelProto) -> None:
    made.opset_import[0].version = 7


def _dark(made: onnx.ModelProto) -> None:
    made.graph.node.append(helper.make_node("Sub", ["large", "large"], ["nothing"]))
    made.graph.output[0].name = "nothing"


def _sparse(made: onnx.ModelProto) -> onnx.SparseTensorProto:
    dense = made.graph.initializer.pop(0)
    values = numpy_helper.to_array(dense)
    places = np.flatnonzero(values)
    return helper.make_sparse_tensor(
        numpy_helper.from_array(values.ravel()[places], dense.name),
        numpy_helper.from_array(places.astype(np.int64), "places"),
        values.shape,
    )


def _sparse_weights(made: onnx.ModelProto) -> None:
    made.graph.sparse_initializer.append(_sparse(made))


def _sparse_constant(made: onnx.ModelProto) -> None:
    sparse = _sparse(made)
    made.graph.node.insert(0, helper.make_node("Constant", [], [sparse.values.name], sparse_value=sparse))


def _functions(made: onnx.ModelProto) -> None:
    made.functions.append(onnx.FunctionProto(name="f", domain="mine"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_custom, "evil.corp"),
        (_loop, "graph of its own"),
        (_huge, "too large"),
        (_exploding, r"refuses|GB|status"),
        (_two_inputs, r"'second_picture'\] and outputs \['large'\]$"),
        (_old, "opset 7"),
        (_sparse_weights, "constant first is stored sparse"),
        (_sparse_constant, "operator Constant holds values stored sparse"),
        (_dark, "does not enlarge"),
        (_functions, "functions of its own"),
    ],
)
def test_a_hostile_or_useless_network_is_refused_in_a_line(tmp_path: Path, change: Change, says: str) -> None:
    made = model()
    change(made)
    with pytest.raises(CheckpointError, match=says) as refused:
        export_external(saved(tmp_path, made), IDENTITY, tmp_path / "out", Stated())
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["../secret.bin", "/etc/passwd", "link.bin", ""])
def test_no_data_is_read_outside_the_folder(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(4096))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    made = model()
    _outside(made.graph.initializer[0], place, 0)
    (folder / "net.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(CheckpointError, match="outside its folder"):
        read_model(folder / "net.onnx")


@pytest.mark.parametrize(
    ("offset", "says"), [(1 << 20, "reaches beyond"), (0, "missing"), (-5, "reaches beyond")]
)
def test_data_beside_the_file_must_be_there_whole(tmp_path: Path, offset: int, says: str) -> None:
    made = model()
    _outside(made.graph.initializer[0], "beside.bin", offset)
    if offset:
        (tmp_path / "beside.bin").write_bytes(bytes(4096))
    (tmp_path / "net.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(CheckpointError, match=says):
        read_model(tmp_path / "net.onnx")


def _outside(tensor: TensorProto, location: str, offset: int) -> None:
    length = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)


def test_data_beside_the_file_is_read(tmp_path: Path) -> None:
    onnx.save_model(
        model(), tmp_path / "net.onnx", save_as_external_data=True, location="net.bin", size_threshold=0
    )
    found = read_model(tmp_path / "net.onnx")
    np.testing.assert_array_equal(
        numpy_helper.to_array(found.graph.initializer[0]), numpy_helper.to_array(model().graph.initializer[0])
    )


@pytest.mark.parametrize("cut", [0, 10, 500])
def test_a_torn_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(model().SerializeToString()[:cut])
    with pytest.raises(CheckpointError):
        read_model(path)


def test_an_unknown_operator_that_is_no_text_is_refused(tmp_path: Path) -> None:
    unknown = model()
    unknown.graph.node[0].op_type = "QQQQ"
    path = tmp_path / "net.onnx"
    path.write_bytes(unknown.SerializeToString().replace(b"QQQQ", b"\xff\xfe\xfd\xfc"))
    with pytest.raises(CheckpointError, match="not a valid ONNX model"):
        read_model(path)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = saved(tmp_path, model())
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputExistsError):
        export_external(path, IDENTITY, tmp_path / "out", Stated())
    with pytest.raises(InputNotFoundError):
        read_model(tmp_path / "nowhere.onnx")
