"""The graph contract around an external ONNX model: ``image`` in front, ``frame`` behind, whatever it calls its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_sr.export.external.probe import Findings
from edge_sr.export.graphs import IR_VERSION
from edge_sr.models.luma import FLOOR, GAIN, Bicubic
from edge_sr.quality import LUMA

PREFIX = "network/"
PLANES, PICTURES = [0, 3, 1, 2], [0, 2, 3, 1]


class _Graph:
    """Nodes and constants in the making; every call returns the name of what it adds."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        name = out or f"contract.{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: object) -> str:
        name = f"contract.constant.{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def scalar(self, value: float) -> str:
        return self.constant(np.float32(value))


def behind_contract(model: onnx.ModelProto, found: Findings) -> onnx.ModelProto:
    """``image``, ``1 x h x w x 3`` float32 in [0, 1], to ``frame`` likewise; a luma network's chroma is bicubic."""
    inner = onnx.compose.add_prefix(model, PREFIX).graph
    graph = _Graph()
    planes = graph.add("Transpose", "image", perm=PLANES)
    given = planes if found.channels == 3 else _luma(graph, planes)
    made = _through(graph, inner, given, found)
    result = made if found.channels == 3 else _with_chroma(graph, planes, made, found.scale)
    pictures = graph.add("Transpose", result, perm=PICTURES)
    graph.add("Clip", pictures, graph.scalar(0), graph.scalar(1), out="frame")
    return _model(model, inner, graph, found.scale)


def _through(graph: _Graph, inner: onnx.GraphProto, planes: str, found: Findings) -> str:
    """Planes in [0, 1] in the network's own terms, through it, and back."""
    given = planes if found.layout == "NCHW" else graph.add("Transpose", planes, perm=PICTURES)
    if found.top != 1:
        given = graph.add("Mul", given, graph.scalar(found.top))
    if found.dtype == "uint8":
        given = graph.add("Cast", graph.add("Round", given), to=TensorProto.UINT8)
    if found.dtype == "float16":
        given = graph.add("Cast", given, to=TensorProto.FLOAT16)
    graph.nodes.extend(_renamed(inner, PREFIX + found.input, given))
    made = PREFIX + found.output
    if inner.output[0].type.tensor_type.elem_type != TensorProto.FLOAT:
        made = graph.add("Cast", made, to=TensorProto.FLOAT)
    if found.output_top != 1:
        made = graph.add("Div", made, graph.scalar(found.output_top))
    return made if found.layout == "NCHW" else graph.add("Transpose", made, perm=PLANES)


def _renamed(inner: onnx.GraphProto, old: str, new: str) -> list[onnx.NodeProto]:
    nodes = list(inner.node)
    for node in nodes:
        node.input[:] = [new if name == old else name for name in node.input]
    return nodes


def _luma(graph: _Graph, planes: str) -> str:
    weights = graph.constant(np.array(LUMA, np.float32).reshape(1, 3, 1, 1))
    return graph.add(
        "Conv", planes, weights, graph.constant(np.array([FLOOR], np.float32)), kernel_shape=[1, 1]
    )


def _with_chroma(graph: _Graph, planes: str, made: str, scale: int) -> str:
    """The enlarged picture with its luma replaced: the same step added to R, G and B."""
    base = planes if scale == 1 else _enlarged(graph, planes, scale)
    step = graph.add("Sub", made, _luma(graph, base))
    return graph.add("Add", base, graph.add("Mul", step, graph.scalar(GAIN)))


def _enlarged(graph: _Graph, planes: str, scale: int) -> str:
    border = graph.constant(np.array([0, 0, 2, 2, 0, 0, 2, 2], np.int64))
    padded = graph.add("Pad", planes, border, mode="edge")
    kernels = graph.constant(Bicubic(scale).get_buffer("phases").numpy())
    phases = graph.add("Conv", padded, kernels, group=3, kernel_shape=[5, 5])
    return graph.add("DepthToSpace", phases, blocksize=scale, mode="CRD")


def _model(model: onnx.ModelProto, inner: onnx.GraphProto, graph: _Graph, scale: int) -> onnx.ModelProto:
    times = "" if scale == 1 else f"{scale}*"
    made = helper.make_graph(
        graph.nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, "h", "w", 3])],
        [helper.make_tensor_value_info("frame", TensorProto.FLOAT, [1, f"{times}h", f"{times}w", 3])],
        [*inner.initializer, *graph.constants],
    )
    version = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    result = helper.make_model(made, opset_imports=[helper.make_opsetid("", version)])
    result.ir_version = max(IR_VERSION, model.ir_version)
    onnx.checker.check_model(result)
    return result
