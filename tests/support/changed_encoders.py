"""Encoder graphs that are changed so that they compute another network, or the same one written otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Whoever imports this at the top of a module of tests is skipped with it.
pytest.importorskip("onnx")

import onnx
from onnx import helper, numpy_helper


class Changed:
    """A graph that is changed; convolutions in order: head, two a block, tail, contents."""

    def __init__(self, path: Path) -> None:
        self.model = onnx.load(path)
        self.graph = self.model.graph
        self.convolutions = [node for node in self.graph.node if node.op_type == "Conv"]

    def array(self, name: str) -> Any:
        return numpy_helper.to_array(self._initializer(name))

    def put(self, name: str, array: Any) -> str:
        kept = [one for one in self.graph.initializer if one.name != name]
        del self.graph.initializer[:]
        self.graph.initializer.extend([*kept, numpy_helper.from_array(np.asarray(array), name)])
        return name

    def remove(self, name: str) -> Any:
        found = self._initializer(name)
        self.graph.initializer.remove(found)
        return found

    def attribute(self, node: Any, **values: Any) -> None:
        kept = [one for one in node.attribute if one.name not in values]
        del node.attribute[:]
        node.attribute.extend([*kept, *(helper.make_attribute(*one) for one in values.items())])

    def maker(self, value: str) -> Any:
        return next(node for node in self.graph.node if value in node.output)

    def int8(self) -> Any:
        """A convolution that reads levels of both its input and its weights."""
        return next(one for one in self.convolutions if one.input[1].endswith(".rounded"))

    def _initializer(self, name: str) -> Any:
        return next(one for one in self.graph.initializer if one.name == name)


Change = Callable[[Changed], None]


def without_bias(graph: Changed) -> None:
    del graph.convolutions[3].input[2:]


def constant_as_a_node(graph: Changed) -> None:
    name = graph.convolutions[3].input[1]
    node = helper.make_node("Constant", [], [name], value=graph.remove(name))
    graph.graph.node.insert(0, node)


def constant_in_numbers(graph: Changed) -> None:
    name = graph.convolutions[3].input[2]
    array = numpy_helper.to_array(graph.remove(name))
    graph.graph.initializer.append(helper.make_tensor(name, 1, array.shape, array.tolist()))


def constant_of_another_type(graph: Changed) -> None:
    graph.put("truth", np.array(True))
    graph.maker("maps").output[0] = "joined"
    graph.graph.node.append(helper.make_node("Where", ["truth", "joined", "joined"], ["maps"]))


def dilated(graph: Changed) -> None:
    graph.attribute(graph.convolutions[3], dilations=[2, 2], pads=[2, 2, 2, 2])


def of_one_tap(graph: Changed) -> None:
    node = graph.convolutions[3]
    graph.put(node.input[1], graph.array(node.input[1])[:, :, 1:2, 1:2])
    graph.attribute(node, kernel_shape=[1, 1], pads=[0, 0, 0, 0])


def in_groups(graph: Changed) -> None:
    node = graph.convolutions[3]
    graph.put(node.input[1], graph.array(node.input[1])[:, ::2])
    graph.attribute(node, group=2)


def scaled_maps(graph: Changed) -> None:
    graph.maker("maps").output[0] = "whole"
    graph.graph.node.append(helper.make_node("Mul", ["whole", graph.put("half", np.float32(0.5))], ["maps"]))


def turned_maps(graph: Changed) -> None:
    joined = graph.maker("maps")
    joined.input[:] = joined.input[::-1]


def another_middle(graph: Changed) -> None:
    centred = graph.maker(graph.convolutions[0].input[0])
    graph.maker(centred.input[0]).input[1] = graph.put("middle", np.float32(0.25))


def another_order_of_axes(graph: Changed) -> None:
    planes = next(node for node in graph.graph.node if node.op_type == "Transpose")
    graph.attribute(planes, perm=[0, 3, 2, 1])


def no_relu(graph: Changed) -> None:
    graph.convolutions[2].input[0] = graph.convolutions[1].output[0]


def levels_of_weights_off_zero(graph: Changed) -> None:
    weight = graph.maker(graph.int8().input[1])
    graph.put(weight.input[2], graph.array(weight.input[2]) + np.int8(3))


def weights_by_input(graph: Changed) -> None:
    node = graph.int8()
    graph.attribute(graph.maker(node.input[1]), axis=1)


def another_scale_of_the_bias(graph: Changed) -> None:
    bias = graph.maker(graph.int8().input[2])
    graph.put(bias.input[1], graph.array(bias.input[1]) * np.float32(2))


def another_scale_going_in(graph: Changed) -> None:
    levels = graph.maker(graph.int8().input[0])
    scale = graph.array(levels.input[1]) * np.float32(2)
    graph.maker(levels.input[0]).input[1] = graph.put("other.scale", scale)


def float_weights_on_levels(graph: Changed) -> None:
    node = graph.int8()
    shape = graph.array(graph.maker(node.input[1]).input[0]).shape
    node.input[1] = graph.put("float.weight", np.ones(shape, np.float32))
    node.input[2] = graph.put("float.bias", np.ones(shape[0], np.float32))


FLOAT: list[Change] = [
    without_bias,
    constant_as_a_node,
    constant_in_numbers,
    constant_of_another_type,
    dilated,
    of_one_tap,
    in_groups,
    scaled_maps,
    turned_maps,
    another_middle,
    another_order_of_axes,
    no_relu,
]
INT8: list[Change] = [
    levels_of_weights_off_zero,
    weights_by_input,
    another_scale_of_the_bias,
    another_scale_going_in,
    float_weights_on_levels,
]
# By the scheme of the graph that each is made of.
CHANGES = [*(("fp32", change) for change in FLOAT), *(("int8-cpu", change) for change in INT8)]
