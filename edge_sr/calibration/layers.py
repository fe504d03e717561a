"""What of a graph can be quantised: its convolutions, the tensors they read and write, and their names.

Names come from the network, not from the exporter: a convolution is called as its weight is
(``encoder.body.0.conv1``), a tensor after whatever makes it. So one scale table fits every graph of a bundle,
whatever its precision and input.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from edge_sr.errors import BundleError

WEIGHT = ".weight"
DTYPES = {int(TensorProto.FLOAT): "float32", int(TensorProto.FLOAT16): "float16"}


@dataclasses.dataclass(frozen=True)
class Layer:
    """A convolution. ``source``: what it reads; ``result``: what it gives, a ReLU right behind included."""

    name: str
    node: onnx.NodeProto
    weight: onnx.TensorProto
    bias: onnx.TensorProto | None
    source: str
    result: str

    @property
    def dtype(self) -> str:
        """``float32`` or ``float16``, what the graph computes the layer in."""
        return DTYPES[int(self.weight.data_type)]

    @property
    def values(self) -> NDArray[np.float32]:
        """The weight, output channels first."""
        weight: NDArray[np.float32] = numpy_helper.to_array(self.weight).astype(np.float32)
        return weight


@dataclasses.dataclass(frozen=True)
class Sum:
    """An addition of a layer's result and another tensor: a residual block's end."""

    node: onnx.NodeProto
    result: str


class GraphMap:
    """A graph's layers and sums, and the names of the tensors around them.

    ``points`` maps a tensor to its name: ``LAYER`` for a layer's result, ``LAYER.sum`` for the sum it goes
    into, ``LAYER.input`` for what else a layer reads.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.constants = _constants(model)
        self.consumers = _consumers(model)
        self.layers = {layer.name: layer for layer in self._find_layers()}
        self.points: dict[str, str] = {layer.result: name for name, layer in self.layers.items()}
        self.sums = self._find_sums()
        self._name_inputs()

    def _find_layers(self) -> list[Layer]:
        return [self._layer(node) for node in self.model.graph.node if node.op_type == "Conv"]

    def _layer(self, node: onnx.NodeProto) -> Layer:
        weight = self.constants.get(node.input[1])
        if weight is None:
            raise BundleError(f"{node.name} has no constant weight, so the graph is quantised already")
        bias = self.constants[node.input[2]] if len(node.input) > 2 else None
        name = weight.name.removesuffix(WEIGHT)
        return Layer(name, node, weight, bias, node.input[0], self._after_relu(node.output[0]))

    def _after_relu(self, tensor: str) -> str:
        nodes = self.consumers[tensor]
        return nodes[0].output[0] if len(nodes) == 1 and nodes[0].op_type == "Relu" else tensor

    def _find_sums(self) -> list[Sum]:
        """In the graph's order; a sum is named after its last operand that has a name of its own."""
        sums = []
        for node in self.model.graph.node:
            owners = [self.points[name] for name in node.input if name in self.points]
            if node.op_type == "Add" and owners:
                result = self._after_relu(node.output[0])
                self.points.setdefault(result, f"{_last_layer(owners)}.sum")
                sums.append(Sum(node, result))
        return sums

    def _name_inputs(self) -> None:
        for name in sorted(self.layers):
            self.points.setdefault(self.layers[name].source, f"{name}.input")

    def tensors(self) -> dict[str, str]:
        """From the name of a point to the tensor in this graph."""
        return {name: tensor for tensor, name in self.points.items()}


def _last_layer(owners: list[str]) -> str:
    """Of a residual block's operands the one that is no sum itself: the block's last layer."""
    plain = [name for name in owners if not name.endswith(".sum")]
    return (plain or owners)[-1].removesuffix(".sum")


def _constants(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    found[node.output[0]] = attribute.t
    return found


def _consumers(model: onnx.ModelProto) -> defaultdict[str, list[onnx.NodeProto]]:
    consumers: defaultdict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            consumers[name].append(node)
    return consumers
