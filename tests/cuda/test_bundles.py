"""What the kernels take of a bundle's graphs; needs no GPU."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.cuda import open as opening
from edge_sr.backends.cuda.network.int8 import int8_tensors
from edge_sr.backends.native.onnx_file import OnnxGraph, read_graph
from edge_sr.bundle import Bundle
from edge_sr.errors import BundleError


def test_levels_without_zero_points_lie_around_zero(nano: Bundle) -> None:
    graph = read_graph(nano.graph("encoder", "int8"))
    nodes = tuple(
        dataclasses.replace(node, inputs=node.inputs[:2]) if node.operator == "DequantizeLinear" else node
        for node in graph.nodes
    )
    found, whole = int8_tensors(dataclasses.replace(graph, nodes=nodes)), int8_tensors(graph)
    assert found.keys() == whole.keys() and all(np.array_equal(found[name], whole[name]) for name in whole)


@pytest.mark.parametrize("change", ["a block more", "no scale", "a weight of one tap", "a weight by no name"])
def test_a_graph_of_another_form_is_a_bad_bundle(
    nano: Bundle, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    forms, description = opening.forms_of(nano), nano.description
    assert forms is not None
    graph = read_graph(nano.graph("encoder", "int8"))
    arrays = dict(graph.arrays)
    if change == "a block more":
        encoder = dataclasses.replace(nano.network.encoder, blocks=nano.network.encoder.blocks + 1)
        description = dataclasses.replace(
            description, network=dataclasses.replace(nano.network, encoder=encoder)
        )
    elif change == "no scale":
        del arrays["encoder.tail.weight.scale"], arrays["encoder.tail.sum.scale"]
    elif change == "a weight of one tap":
        arrays["encoder.head.weight"] = arrays["encoder.head.weight"][:, :, :1, :1]
    else:
        arrays["renamed"] = arrays.pop("encoder.head.weight")
    changed = OnnxGraph(graph.nodes, arrays, graph.outputs)
    monkeypatch.setattr(opening, "read_graph", lambda path: changed)
    config = RunnerConfig(Bundle(nano.path, description), "int8", scheme="int8")
    with pytest.raises(BundleError, match=r"another form|found none"):
        opening._encoder_weights(config, *forms)
