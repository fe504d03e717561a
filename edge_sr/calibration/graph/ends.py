"""The ends of a network from picture to picture, which stay in floating point, and the sizes of what lies between.

At the ends stand, besides the network's own first and last layers, convolutions that are none of its: those that
take luma from a picture, and the bicubic enlargement that carries chroma.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import onnx

from edge_sr.calibration.graph.layers import GraphMap

# What has no more channels is a picture, or its luma.
PICTURE = 3
SIDE = 48
Steps = Iterable[tuple[onnx.NodeProto, Iterable[str]]]


def ends(graph: GraphMap) -> frozenset[str]:
    """Names of the layers that read a picture, and of those with no other layer between them and the frame."""
    inputs, outputs = graph.model.graph.input, graph.model.graph.output
    layers = {layer.node.output[0]: layer for layer in graph.layers.values()}
    makers = {name: node for node in graph.model.graph.node for name in node.output}

    def ahead(tensor: str) -> Steps:
        return ((node, node.output) for node in graph.consumers[tensor])

    def back(tensor: str) -> Steps:
        return [(makers[tensor], makers[tensor].input)] if tensor in makers else []

    given = {result: layer.weight.dims[0] for result, layer in layers.items()}
    read = {result: layer.weight.dims[1] * layer.groups for result, layer in layers.items()}
    met = _met([value.name for value in inputs], ahead, given)
    met |= _met([value.name for value in outputs], back, read)
    return frozenset(layer.name for result, layer in layers.items() if result in met)


def _met(start: list[str], steps: Callable[[str], Steps], channels: Mapping[str, int]) -> set[str]:
    """Results of the layers that a walk comes to first; a picture on a layer's far side is walked on from.

    ``channels`` are those on the far side, by the layer's result.
    """
    waiting, seen, met = list(start), set[str](), set[str]()
    while waiting:
        tensor = waiting.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        for node, beyond in steps(tensor):
            result = node.output[0]
            met.add(result)
            if node.op_type != "ConvTranspose" and channels.get(result, 0) <= PICTURE:
                waiting += beyond
    return met


def pixels(model: onnx.ModelProto) -> dict[str, float]:
    """Pixels of each tensor for one of the picture that goes in; without those whose size the graph computes."""
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    for dim, length in zip(sized.graph.input[0].type.tensor_type.shape.dim, (1, SIDE, SIDE, 3), strict=True):
        dim.dim_value = length
    for dim in sized.graph.output[0].type.tensor_type.shape.dim:
        dim.Clear()
    typed = onnx.shape_inference.infer_shapes(sized, data_prop=True)
    shapes = {value.name: value.type.tensor_type.shape.dim for value in typed.graph.value_info}
    return {
        name: shape[2].dim_value * shape[3].dim_value / SIDE**2
        for name, shape in shapes.items()
        if len(shape) == 4 and shape[2].dim_value * shape[3].dim_value
    }
