"""What of a graph can be quantised: its convolutions, the tensors they read and write, and their names.

Names come from the network, not from the exporter: a convolution is called as its weight is
(``encoder.body.0.conv1``), or after its place where the exporter computed weight and bias anew (``conv.7``), a
tensor after whatever makes it. So one scale table fits every graph of a bundle, whatever its precision and input.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections import defaultdict
from collections.abc import Container

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from edge_sr.errors import BundleError

# The modules that an export puts around a network are no part of its layers' names.
KEY = re.compile(r"(?:network[./])*(.+)\.(?:weight|bias)")
# What may follow a convolution and leaves its channels' factors as they are: f(k x) = k f(x) for k > 0.
ACTIVATIONS = ("Relu", "PRelu", "LeakyRelu")
DTYPES = {int(TensorProto.FLOAT): "float32", int(TensorProto.FLOAT16): "float16"}


@dataclasses.dataclass(frozen=True)
class Layer:
    """A convolution. ``source``: what it reads; ``result``: what it gives, a ReLU right behind included.

    Where a recursive network applies one weight several times, each time is a layer.
    """

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
    def groups(self) -> int:
        """Its channels come in so many groups, and each kernel sees one of them."""
        return next((attribute.i for attribute in self.node.attribute if attribute.name == "group"), 1)

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
        self.layers: dict[str, Layer] = {}
        self._find_layers()
        self.points: dict[str, str] = {layer.result: name for name, layer in self.layers.items()}
        self.sums = self._find_sums()
        self._name_inputs()

    def _find_layers(self) -> None:
        convolutions = [node for node in self.model.graph.node if node.op_type == "Conv"]
        for place, node in enumerate(convolutions):
            layer = self._layer(node, place)
            self.layers[layer.name] = layer

    def _layer(self, node: onnx.NodeProto, place: int) -> Layer:
        weight, *rest = (self._constant(tensor) for tensor in node.input[1:] if tensor)
        bias = rest[0] if rest else None
        name = _free(_key(node) or f"conv.{place}", self.layers)
        return Layer(name, node, weight, bias, node.input[0], self._after_activation(node.output[0]))

    def _constant(self, name: str) -> onnx.TensorProto:
        if name not in self.constants:
            raise BundleError(f"{name} is no constant weight, so the graph is quantised already")
        return self.constants[name]

    def _after_activation(self, tensor: str) -> str:
        nodes = self.consumers[tensor]
        alone = len(nodes) == 1 and nodes[0].op_type in ACTIVATIONS
        return nodes[0].output[0] if alone else tensor

    def shares(self, layer: Layer) -> bool:
        """Whether other nodes read its weight or its bias too."""
        return any(len(self.consumers[name]) > 1 for name in layer.node.input[1:] if name)

    def _find_sums(self) -> list[Sum]:
        """In the graph's order; a sum is named after its last operand that has a name of its own."""
        sums = []
        for node in self.model.graph.node:
            owners = [self.points[name] for name in node.input if name in self.points]
            if node.op_type == "Add" and owners:
                result = self._after_activation(node.output[0])
                self._name(result, f"{_last_layer(owners)}.sum")
                sums.append(Sum(node, result))
        return sums

    def _name_inputs(self) -> None:
        for name in sorted(self.layers):
            self._name(self.layers[name].source, f"{name}.input")

    def _name(self, tensor: str, name: str) -> None:
        """Unless it has a name. Sums along a stream whose residuals are scaled would all be called alike."""
        if tensor not in self.points:
            self.points[tensor] = _free(name, set(self.points.values()))


def _key(node: onnx.NodeProto) -> str | None:
    """The module that weight or bias belongs to."""
    found = (KEY.fullmatch(name) for name in node.input[1:])
    return next((match[1] for match in found if match), None)


def _free(name: str, taken: Container[str]) -> str:
    """``name``, or the first of ``name.2``, ``name.3`` ... that is not taken."""
    others = (f"{name}.{i}" for i in itertools.count(2))
    return next(each for each in itertools.chain([name], others) if each not in taken)


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
