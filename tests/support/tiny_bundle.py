"""A small bundle after the graph contract, written with onnx alone: 3 x 3 encoder, two-layer decoder."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Whoever imports this at the top of a module of tests is skipped with it.
pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_sr.bundle import (
    SCHEMA,
    Bundle,
    Description,
    Graph,
    Port,
    Source,
    file_sha256,
    new_folder,
    read_bundle,
    write_description,
)
from edge_sr.spec import DecoderSpec, EncoderSpec, NetworkSpec, PublishedSpec

WIDTH = 8
NETWORK = NetworkSpec("tiny", EncoderSpec("residual", WIDTH, 1), DecoderSpec(3, False, (WIDTH, WIDTH)))
MAPS = 2 * WIDTH
PRECISIONS = {"fp32": np.float32, "fp16": np.float16, "int8": np.float16}


class GraphMaker:
    """Nodes and constants of one graph, in the order they are added; weights in ``real``."""

    def __init__(self, real: Any, seed: int) -> None:
        self.real, self.random = real, np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def conv(self, source: str, output: str, shape: tuple[int, ...], real: Any = None) -> str:
        scale = 1.0 / np.sqrt(np.prod(shape[1:]))
        weight = self.constant(
            output + ".w", (self.random.normal(size=shape) * scale).astype(real or self.real)
        )
        return self.add("Conv", [source, weight], output, pads=[shape[2] // 2] * 4)

    def conv_int8(self, source: str, output: str, shape: tuple[int, ...]) -> str:
        """Symmetric int8: one scale for the input, one for each output channel's weights."""
        weight = (self.random.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(self.real)
        scales = {
            "input": self.real(1 / 64),
            "weight": (np.abs(weight).max(axis=(1, 2, 3)) / 127).astype(self.real),
        }
        values = {"input": source, "weight": self.constant(f"{output}.w", weight)}
        ends = []
        for name, value in values.items():
            scale = self.constant(f"{output}.{name}.scale", scales[name])
            zero = self.constant(f"{output}.{name}.zero", np.zeros(np.shape(scales[name]), np.int8))
            axis = {"axis": 0} if name == "weight" else {}
            level = self.add("QuantizeLinear", [value, scale, zero], f"{output}.{name}.q", **axis)
            ends.append(self.add("DequantizeLinear", [level, scale, zero], f"{output}.{name}.dq", **axis))
        return self.add("Conv", ends, output, pads=[1] * 4)

    def model(self, inputs: list[Any], outputs: list[Any]) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "tiny", inputs, outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def _value(name: str, kind: int, *shape: Any) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))


def encoder(real: Any, picture: int, quantised: bool = False) -> onnx.ModelProto:
    """With ``quantised``, the second convolution has int8 Q/DQ at its input and weights, as calibration places it."""
    make = GraphMaker(real, 1)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(real))
    make.add("Cast", ["image"], "real", to=TensorProto.FLOAT)
    make.add("Transpose", ["real"], "planes", perm=[0, 3, 1, 2])
    scale = make.constant("scale", np.float32(1 / 127.5 if picture == TensorProto.UINT8 else 2))
    make.add("Mul", ["planes", scale], "scaled")
    make.add("Sub", ["scaled", make.constant("one", np.float32(1))], "normal")
    make.add("Cast", ["normal"], "x", to=kind)
    make.conv("x", "features", (WIDTH, 3, 3, 3))
    make.add("Relu", ["features"], "active")
    if quantised:
        make.conv_int8("active", "maps", (MAPS, WIDTH, 3, 3))
    else:
        make.conv("active", "maps", (MAPS, WIDTH, 3, 3))
    return make.model([_value("image", picture, 1, "h", "w", 3)], [_value("maps", kind, 1, MAPS, "h", "w")])


def decoder(real: Any, picture: int) -> onnx.ModelProto:
    make = GraphMaker(real, 2)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(real))
    make.add("Gather", ["maps", "rows"], "by_row", axis=2)
    make.add("Gather", ["by_row", "cols"], "sampled", axis=3)
    for axis in ("y", "x"):
        make.conv(f"offset_{axis}", f"plane_{axis}", (WIDTH, 1, 1, 1), np.float32)
    make.conv("ratio", "plane_r", (WIDTH, 1, 1, 1), np.float32)
    make.add("Add", ["plane_y", "plane_x"], "position")
    make.add("Sin", [make.add("Add", ["position", "plane_r"], "argument")], "sine")
    make.add("Cast", ["sine"], "q", to=kind)
    split = make.constant("split", np.array([WIDTH, WIDTH], np.int64))
    make.nodes.append(helper.make_node("Split", ["sampled", split], ["k0", "k1"], axis=1))
    make.add("Mul", ["q", "k0"], "q0")
    make.add("Add", [make.conv("q0", "k1q", (WIDTH, WIDTH, 1, 1)), "k1"], "q1")
    make.add("Cast", [make.conv("q1", "rgb", (3, WIDTH, 1, 1))], "wide", to=TensorProto.FLOAT)
    _finish(make, picture)
    positions = [_value("rows", TensorProto.INT32, "Ht"), _value("cols", TensorProto.INT32, "Wt")]
    positions.append(_value("offset_y", TensorProto.FLOAT, 1, 1, "Ht", 1))
    positions.append(_value("offset_x", TensorProto.FLOAT, 1, 1, 1, "Wt"))
    positions.append(_value("ratio", TensorProto.FLOAT, 1, 1, 1, 1))
    maps = _value("maps", kind, 1, MAPS, "h", "w")
    return make.model([maps, *positions], [_value("frame", picture, 1, "Ht", "Wt", 3)])


def _finish(make: GraphMaker, picture: int) -> None:
    """De-normalise, and for 8 bits round and clip; cast after the last transpose."""
    levels = 255.0 if picture == TensorProto.UINT8 else 1.0
    make.add("Mul", ["wide", make.constant("half", np.float32(levels / 2))], "half_range")
    make.add("Add", ["half_range", make.constant("middle", np.float32(levels / 2))], "full")
    low, high = make.constant("low", np.float32(0)), make.constant("high", np.float32(levels))
    make.add("Clip", ["full", low, high], "clipped")
    last = make.add("Round", ["clipped"], "rounded") if levels > 1 else "clipped"
    if levels > 1:
        make.add("Transpose", [last], "hwc", perm=[0, 2, 3, 1])
        make.add("Cast", ["hwc"], "frame", to=TensorProto.UINT8)
    else:
        make.add("Transpose", [last], "frame", perm=[0, 2, 3, 1])


def write_bundle(folder: Path, name: str = "tiny") -> Bundle:
    """The bundle in ``folder/name``, fp32, fp16 and int8, uint8 and float pairs."""
    graphs = []
    with new_folder(folder / name) as draft:
        for precision, real in PRECISIONS.items():
            for io, picture in (("uint8", TensorProto.UINT8), ("float", TensorProto.FLOAT)):
                models = encoder(real, picture, precision == "int8"), decoder(real, picture)
                for role, model in zip(("encoder", "decoder"), models, strict=True):
                    file = draft / f"{role}.{precision}.{io}.onnx"
                    onnx.save(model, file)
                    graphs.append(_graph(file, role, precision, io))
        source = Source("tiny.safetensors", "0" * 64)
        description = Description(
            SCHEMA, "implicit", name, "1.0", NETWORK, 1, 2, 4 * 6 * WIDTH, source, tuple(graphs)
        )
        write_description(draft, description)
    return read_bundle(folder / name)


def network(picture: int, scale: int) -> onnx.ModelProto:
    """Two 3 x 3 convolutions whose result is added to the picture, every pixel of it ``scale`` times."""
    make = GraphMaker(np.float32, 3)
    make.add("Cast", ["image"], "real", to=TensorProto.FLOAT)
    make.add("Transpose", ["real"], "planes", perm=[0, 3, 1, 2])
    levels = 255.0 if picture == TensorProto.UINT8 else 1.0
    half = make.constant("half_of", np.float32(levels / 2))
    make.add("Sub", [make.add("Div", ["planes", half], "doubled"), make.constant("one", np.float32(1))], "x")
    make.add("Relu", [make.conv("x", "features", (WIDTH, 3, 3, 3))], "active")
    make.conv("active", "residual", (3 * scale**2, WIDTH, 3, 3))
    weight = np.zeros((3 * scale**2, 3, 1, 1), np.float32)
    weight[np.arange(3 * scale**2), np.arange(3 * scale**2) // scale**2] = 1
    make.add("Conv", ["x", make.constant("repeat", weight)], "repeated")
    make.add("Add", ["repeated", "residual"], "sum")
    make.add("DepthToSpace", ["sum"], "wide", blocksize=scale, mode="CRD")
    _finish(make, picture)
    frame = _value("frame", picture, 1, f"{scale}h", f"{scale}w", 3)
    return make.model([_value("image", picture, 1, "h", "w", 3)], [frame])


def write_network(folder: Path, kind: str, scale: int, *, whole: bool = False) -> Bundle:
    """A network of one graph in ``folder/kind``, fp32, uint8 and float; ``whole``: said to take whole frames."""
    graphs = []
    with new_folder(folder / kind) as draft:
        for io, picture in (("uint8", TensorProto.UINT8), ("float", TensorProto.FLOAT)):
            file = draft / f"network.fp32.{io}.onnx"
            onnx.save(network(picture, scale), file)
            graphs.append(_graph(file, "network", "fp32", io))
        described = PublishedSpec(kind, "onnx", {"scale": scale})
        source = Source("tiny.onnx", "0" * 64)
        # Two pixels of the two convolutions, three of resampling.
        radius = 0 if whole else 5
        ours = Description(SCHEMA, kind, kind, "1.0", described, 1, radius, 4 * 11, source, tuple(graphs))
        write_description(draft, dataclasses.replace(ours, scale=scale, whole_frames=whole))
    return read_bundle(folder / kind)


def _graph(file: Path, role: str, precision: str, io: str) -> Graph:
    model = onnx.load(file)
    inputs, outputs = map(_ports, (model.graph.input, model.graph.output))
    return Graph(file.name, role, precision, io, file_sha256(file), inputs, outputs)


def _ports(values: Any) -> tuple[Port, ...]:
    return tuple(Port(v.name, _dtype(v), tuple(d.dim_param or d.dim_value for d in _dims(v))) for v in values)


def _dims(value: onnx.ValueInfoProto) -> Any:
    return value.type.tensor_type.shape.dim


def _dtype(value: onnx.ValueInfoProto) -> str:
    return str(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
