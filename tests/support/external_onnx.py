"""A small network as people bring it: some layout, some range, fixed sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_sr.bundle import Source
from edge_sr.export.bundle import Identity

IDENTITY = Identity("external", "1", Source("net.onnx", "0" * 64))


def saved(tmp_path: Path, made: onnx.ModelProto) -> Path:
    path = tmp_path / "net.onnx"
    onnx.save_model(made, path)
    return path


def model(
    *,
    layout: str = "NCHW",
    top: int = 1,
    channels: int = 3,
    whole: bool = False,
    middle: bool = False,
    opset: int = 17,
) -> onnx.ModelProto:
    """Twice the size: every pixel repeated, and a small convolution's opinion of it, in units of ``top``.

    ``middle``: with one more convolution, of each channel alone.
    """
    rng = np.random.default_rng(0)
    first = rng.normal(0, 0.02, (8, channels, 3, 3)).astype(np.float32)
    second = rng.normal(0, 0.02, (4 * channels, 8, 3, 3)).astype(np.float32)
    for c in range(channels):
        first[c, c, 1, 1] += 1
        second[4 * c : 4 * c + 4, c, 1, 1] += 1
    constants = {"first": first, "second": second, "bias": np.full(4 * channels, 0.01 * top, np.float32)}
    nodes = [
        helper.make_node("Conv", ["planes", "first"], ["a"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["c", "second", "bias"], ["d"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node("DepthToSpace", ["d"], ["large"], blocksize=2, mode="CRD"),
    ]
    if whole:
        constants["little"] = np.array(0.02, np.float32)
        mean = [
            helper.make_node("ReduceMean", ["b"], ["mean"], axes=[2, 3]),
            helper.make_node("Mul", ["mean", "little"], ["some"]),
            helper.make_node("Add", ["b", "some"], ["c"]),
        ]
    elif middle:
        constants["middle.weight"] = np.full((8, 1, 1, 1), 1.01, np.float32)
        mean = [helper.make_node("Conv", ["b", "middle.weight"], ["c"], group=8, kernel_shape=[1, 1])]
    else:
        mean = [helper.make_node("Identity", ["b"], ["c"])]
    nodes[2:2] = mean
    given, made = ("planes", "large") if layout == "NCHW" else ("in", "out")
    if layout == "NHWC":
        nodes.insert(0, helper.make_node("Transpose", ["in"], ["planes"], perm=[0, 3, 1, 2]))
        nodes.append(helper.make_node("Transpose", ["large"], ["out"], perm=[0, 2, 3, 1]))
    # Fixed sides, as exporters leave them when nobody tells them otherwise.
    small, large = ((1, channels, 24, 32), (1, channels, 48, 64))
    if layout == "NHWC":
        small, large = ((1, 24, 32, channels), (1, 48, 64, channels))
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, small)],
        [helper.make_tensor_value_info(made, TensorProto.FLOAT, large)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
