"""Cross-layer equalisation: channels that share a tensor brought to like ranges, the network left as it is.

One scale has to do for all channels of a tensor, and a channel of small values would get few of its levels. So
its values are made larger and the next layer's weights smaller by the same factor. Residual blocks add to one
stream, whose tensors all take the same factors. Powers of two would change no bit, but leave half of the levels
unused on average: with factors as they come, the pictures' error is a tenth to a fifth less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from edge_sr.calibration.graph.layers import GraphMap, Layer

# A channel gains at most this much: beyond it, it is noise that would be enlarged.
MOST = 2.0**5
Factors = Mapping[str, tuple[float, ...]]


def channel_limits(seen: Iterable[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[np.float32]]:
    """The largest magnitude of each channel at each point, over all that was seen."""
    found: dict[str, NDArray[np.float32]] = {}
    for tensors in seen:
        for point, values in tensors.items():
            largest = np.abs(values).max((0, 2, 3))
            found[point] = np.maximum(found.get(point, largest), largest)
    return found


def find_factors(
    model: onnx.ModelProto, largest: Mapping[str, NDArray[np.float32]]
) -> dict[str, tuple[float, ...]]:
    """What to multiply each channel's values by, by the first point of every group of tensors."""
    graph = GraphMap(model)
    factors = {}
    for tensors in groups(graph):
        names = [graph.points[tensor] for tensor in tensors if graph.points[tensor] in largest]
        reach = np.max([largest[name] for name in names], axis=0)
        ratio = np.minimum(reach.max() / np.maximum(reach, 1e-9), MOST)
        factors[names[0]] = tuple(round(float(factor), 3) for factor in ratio)
    return factors


def equalised(model: onnx.ModelProto, factors: Factors) -> onnx.ModelProto:
    """``model`` with its layers' weights changed by ``factors``; its results are the same but for rounding. A copy."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = GraphMap(result)
    for tensors in groups(graph):
        found = factors.get(graph.points[tensors[0]])
        if found is not None:
            _apply(graph, set(tensors), np.array(found, np.float32))
    return result


def groups(graph: GraphMap) -> list[list[str]]:
    """Tensors that must share their channels' factors, in the graph's order; none that reaches an output."""
    found: dict[str, list[str]] = {layer.result: [layer.result] for layer in graph.layers.values()}
    for entry in graph.sums:
        operands = [found.get(name) for name in entry.node.input]
        merged = [tensor for group in operands if group for tensor in group if tensor != entry.result]
        if None in operands:
            merged = []
        merged = list(dict.fromkeys([*merged, entry.result]))
        for tensor in merged:
            found[tensor] = merged
    unique = {id(group): group for group in found.values()}
    return [group for group in unique.values() if all(_stays_inside(graph, name, group) for name in group)]


def _stays_inside(graph: GraphMap, tensor: str, group: list[str]) -> bool:
    """Whether only layers and the group's own sums read the tensor, and no weight around it serves elsewhere too."""
    if any(tensor == value.name for value in graph.model.graph.output) or _is_bound(graph, tensor):
        return False
    sums = {id(entry.node): entry.result for entry in graph.sums}
    return all(
        (node.op_type == "Conv" and node.input[0] == tensor) or sums.get(id(node)) in group
        for node in graph.consumers[tensor]
    )


def _is_bound(graph: GraphMap, tensor: str) -> bool:
    """Whether a layer at the tensor cannot take the factors: its weight is shared, or has no input for each channel."""
    readers = [layer for layer in graph.layers.values() if layer.source == tensor]
    makers = [layer for layer in graph.layers.values() if layer.result == tensor]
    return any(layer.groups > 1 for layer in readers) or any(map(graph.shares, (*readers, *makers)))


def _apply(graph: GraphMap, tensors: set[str], factors: NDArray[np.float32]) -> None:
    for layer in graph.layers.values():
        if layer.result in tensors:
            _scale(layer, factors.reshape(-1, 1, 1, 1), factors)
        if layer.source in tensors:
            _scale(layer, 1 / factors.reshape(1, -1, 1, 1), None)


def _scale(layer: Layer, weight: NDArray[Any], bias: NDArray[Any] | None) -> None:
    _multiply(layer.weight, weight)
    if layer.bias is not None and bias is not None:
        _multiply(layer.bias, bias)


def _multiply(tensor: onnx.TensorProto, factor: NDArray[Any]) -> None:
    values = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array((values * factor).astype(values.dtype), tensor.name))
