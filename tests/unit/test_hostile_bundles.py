"""Bundles as somebody else may have made them: refused in a line before anything of them runs."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper
from support.tiny_bundle import write_bundle

from edge_sr.bundle import SCHEMA, Bundle, Weights, file_sha256, read_bundle
from edge_sr.bundle.graph_file import declared
from edge_sr.errors import BundleError, ConfigError
from edge_sr.files.config import load_toml
from edge_sr.spec import ModelSpec


def test_bundles_made_before_there_was_a_multiple_still_open(tmp_path: Path) -> None:
    path = write_bundle(tmp_path).path / "bundle.json"
    description = json.loads(path.read_text())
    description.pop("multiple", None)
    path.write_text(json.dumps(description))
    assert read_bundle(path.parent).description.multiple == 1


Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_bundle(tmp_path)


def changed(bundle: Bundle, change: Change) -> Path:
    path = bundle.path / "bundle.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))
    return bundle.path


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("halo", value) for value in (-1, 1, 17)],
        *[("radius", value) for value in (-1, 1 << 40)],
        *[("working_bytes", value) for value in (0, -5, 1 << 60)],
        *[("scale", value) for value in (0, 1000)],
        *[("multiple", value) for value in (0, 1 << 20)],
        *[("parameters", -1), ("macs", [-1, 2]), ("graphs", [])],
    ],
)
def test_numbers_that_mean_nothing_are_refused(bundle: Bundle, key: str, value: Any) -> None:
    folder = changed(bundle, lambda description: description.update({key: value}))
    with pytest.raises(BundleError, match=key):
        read_bundle(folder)


def test_a_newer_schema_is_told_before_its_keys(bundle: Bundle) -> None:
    folder = changed(bundle, lambda description: description.update(schema=SCHEMA + 1, new_key=1))
    with pytest.raises(BundleError, match=r"a newer Edge SR \(schema 2, this one reads 1\): update edge-sr"):
        read_bundle(folder)


@pytest.mark.parametrize("width", [0, -3, 1 << 30])
def test_widths_that_no_network_has_are_refused(bundle: Bundle, width: int) -> None:
    folder = changed(bundle, lambda found: found["network"]["decoder"].update(widths=[8, width]))
    with pytest.raises(BundleError, match="widths"):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"schema": ' + "9" * 5000 + "}", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[]", "expected a table"),
    ],
)
def test_json_that_cannot_be_read_is_a_bad_bundle(bundle: Bundle, text: str, says: str) -> None:
    (bundle.path / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match=says):
        read_bundle(bundle.path)


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "9" * 5000, "a = "])
def test_toml_that_cannot_be_read_is_a_config_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "spec.toml").write_text(text)
    with pytest.raises(ConfigError):
        load_toml(tmp_path / "spec.toml", ModelSpec)


def replaced(bundle: Bundle, content: bytes, role: str = "encoder") -> Bundle:
    """The bundle with another file in the place of its FP32 graph, the hash fitting."""
    graph = bundle.find(role, "fp32")  # type: ignore[arg-type]
    assert graph is not None
    path = bundle.path / graph.file
    path.write_bytes(content)
    graphs = tuple(
        dataclasses.replace(one, sha256=file_sha256(path)) if one == graph else one
        for one in bundle.description.graphs
    )
    return Bundle(bundle.path, dataclasses.replace(bundle.description, graphs=graphs))


def looping() -> bytes:
    body = helper.make_graph(
        [helper.make_node("Identity", [given], [made]) for given, made in (("going", "go"), ("x", "y"))],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
        ],
    )
    nodes = [
        helper.make_node("Cast", ["image"], ["picture"], to=TensorProto.FLOAT),
        helper.make_node("Loop", ["", "", "picture"], ["maps"], body=body),
    ]
    graph = helper.make_graph(
        nodes,
        "loop",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "h", "w", 3])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, [1, 16, "h", "w"])],
    )
    return helper.make_model(graph).SerializeToString()


def test_a_graph_that_loops_is_never_opened(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="operator Loop runs a graph of its own"):
        replaced(bundle, looping()).graph("encoder", "fp32")


def test_a_swapped_graph_is_told_by_its_inputs(bundle: Bundle) -> None:
    decoder = bundle.graph("decoder", "fp32").read_bytes()
    with pytest.raises(BundleError, match=r"has the inputs maps .*, expected image \(uint8\)"):
        replaced(bundle, decoder).graph("encoder", "fp32")


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"\x3a\xff\xff\xff\x7f", b"hello"])
def test_what_is_no_graph_is_refused(bundle: Bundle, content: bytes) -> None:
    with pytest.raises(BundleError, match="not a readable ONNX file"):
        replaced(bundle, content).graph("encoder", "fp32")


def test_what_a_graph_declares_is_what_onnx_reads(bundle: Bundle) -> None:
    for graph in bundle.description.graphs:
        model = onnx.load(bundle.path / graph.file)
        found = declared(bundle.path / graph.file)
        assert list(found.inputs) == [value.name for value in model.graph.input]
        assert list(found.outputs) == [value.name for value in model.graph.output]
        assert found.inputs == {port.name: port.dtype for port in graph.inputs}


@pytest.mark.parametrize("seed", range(40))
def test_mutated_graphs_are_read_or_refused(bundle: Bundle, tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    data = np.frombuffer(bundle.graph("encoder", "fp32").read_bytes(), np.uint8).copy()
    data[random.integers(0, len(data), 20)] = random.integers(0, 256, 20)
    (tmp_path / "torn.onnx").write_bytes(data.tobytes()[: int(random.integers(1, len(data)))])
    try:
        declared(tmp_path / "torn.onnx")
    except ValueError as error:
        assert str(error)


def with_weights(bundle: Bundle, content: bytes) -> Bundle:
    path = bundle.path / "decoder.npz"
    path.write_bytes(content)
    weights = Weights(path.name, file_sha256(path))
    return Bundle(bundle.path, dataclasses.replace(bundle.description, weights=weights))


def archive(name: str = "last.bias.npy", data: bytes | None = None) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.arange(3, dtype=np.float32))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, stream.getvalue() if data is None else data)
    return content.getvalue()


def array_head(kind: str, shape: tuple[int, ...]) -> str:
    return str({"descr": kind, "fortran_order": False, "shape": shape})


def array(head: str) -> bytes:
    """Twelve bytes of values behind ``head``."""
    text = head.ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(12)


def test_damaged_decoder_weights_are_a_bad_bundle(bundle: Bundle) -> None:
    whole = archive()
    assert list(with_weights(bundle, whole).decoder_arrays()) == ["last.bias"]
    damaged = [whole[:40], whole[:-30], b"", b"npz", archive(data=b"\x93NUMPY\x01\x00\xff\xff{'descr'")]
    flipped = bytearray(whole)
    flipped[60] ^= 0xFF
    damaged.append(bytes(flipped))
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], object), allow_pickle=True)
    damaged.append(archive(data=pickled.getvalue()))
    encrypted = bytearray(whole)
    encrypted[6] = encrypted[whole.index(b"PK\x01\x02") + 8] = 1
    damaged.append(bytes(encrypted))
    heads = ("{'shape': (3,", array_head("<f4", (1 << 40,)), array_head("|V4", (3,)), array_head("<i4", (3,)))
    damaged += [archive(data=array(head)) for head in heads]
    for content in damaged:
        with pytest.raises(BundleError, match="is damaged"):
            with_weights(bundle, content).decoder_arrays()


def test_weights_that_unpack_to_gigabytes_are_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="would unpack to"):
        with_weights(bundle, archive(data=bytes(300 << 20))).decoder_arrays()
