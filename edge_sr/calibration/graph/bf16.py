"""A float32 twin of a graph that rounds as the native library's bfloat16 does.

Inputs and weights of products lose all but their 8 leading bits, and so do the maps between encoder and decoder; sums,
sines, base and pixels stay float32. What reads three channels, positions and the picture, stays too: positions are
exact in the library, and so is the picture.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

# Veltkamp's constant: what it leaves of float32's 24 bits are the 8 of bfloat16.
SPLIT = float(2**16 + 1)
SPLIT_NAME = "bf16.split"
COLOURS = 3
MAPS = "maps"


def bf16_twin(model: onnx.ModelProto) -> onnx.ModelProto:
    """The twin of a float32 ``model``; the same inputs and outputs."""
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    weights = {tensor.name: tensor for tensor in twin.graph.initializer}
    rounded = _Rounding(twin)
    del twin.graph.node[:]
    for node in model.graph.node:
        if node.op_type == "Conv" and weights[node.input[1]].dims[1] != COLOURS:
            _round_weights(weights[node.input[1]])
            value = rounded.value(node.input[0])
            node = _reading(node, value)
        twin.graph.node.append(node)
    if any(value.name == MAPS for value in twin.graph.output):
        rounded.output(MAPS)
    onnx.checker.check_model(twin)
    return twin


class _Rounding:
    """Appends the nodes that round a value, once for each."""

    def __init__(self, twin: onnx.ModelProto) -> None:
        self._graph = twin.graph
        self._done: dict[str, str] = {}
        twin.graph.initializer.append(numpy_helper.from_array(np.array(SPLIT, np.float32), SPLIT_NAME))

    def value(self, name: str) -> str:
        """The name of ``name`` rounded."""
        if name not in self._done:
            self._done[name] = f"{name}.bf16"
            self._append(name, self._done[name])
        return self._done[name]

    def output(self, name: str) -> None:
        """Rounds a graph's output in place."""
        for node in self._graph.node:
            for i, made in enumerate(node.output):
                if made == name:
                    node.output[i] = f"{name}.wide"
        self._append(f"{name}.wide", name)

    def _append(self, source: str, result: str) -> None:
        shifted, rest = f"{result}.shifted", f"{result}.rest"
        self._graph.node.extend(
            [
                helper.make_node("Mul", [source, SPLIT_NAME], [shifted]),
                helper.make_node("Sub", [shifted, source], [rest]),
                helper.make_node("Sub", [shifted, rest], [result]),
            ]
        )


def _reading(node: onnx.NodeProto, value: str) -> onnx.NodeProto:
    changed = onnx.NodeProto()
    changed.CopyFrom(node)
    changed.input[0] = value
    return changed


def _round_weights(tensor: onnx.TensorProto) -> None:
    values = numpy_helper.to_array(tensor).astype(np.float32)
    shifted = values * np.float32(SPLIT)
    tensor.CopyFrom(numpy_helper.from_array(shifted - (shifted - values), tensor.name))
