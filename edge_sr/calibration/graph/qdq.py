"""Q/DQ pairs in a graph: TensorRT's scheme, and one for CPUs, from one scale table.

``int8`` (TensorRT): symmetric int8. ``int8-cpu``: uint8 with a zero point, and int32 biases. Weights are int8 for
each output channel in both, and in both what convolutions read is rounded.

Rounded again at every block, the residual stream is what INT8 loses most by: left in floating point, as it is by
default, the loss is a quarter. With ``residual="int8"`` the sums take rounded operands too: in TensorRT the one
that is rounded anyway, so that a convolution, the sum and the ReLU fuse; on a CPU all, so that tensors stay in 8
bits from one convolution to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edge_sr.calibration.graph.layers import GraphMap, Layer
from edge_sr.calibration.ranges.levels import (
    QDQ_SCHEMES,
    QdqScheme,
    Range,
    Scale,
    weight_levels,
    weight_scales,
)
from edge_sr.errors import BundleError


class Quantiser:
    """Rewrites one graph."""

    def __init__(
        self, model: onnx.ModelProto, ranges: Mapping[str, Range], scheme: QdqScheme, residual: str
    ) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.map = GraphMap(self.model)
        self.ranges = ranges
        self.scheme = scheme
        self.rounds_sums = residual == "int8"
        self.rounds_results = self.rounds_sums and scheme.results
        self._after: dict[str, list[onnx.NodeProto]] = {}
        self._rounded: dict[str, str] = {}
        self._constants: dict[tuple[str, bytes], str] = {}

    def run(self, chosen: Collection[str]) -> onnx.ModelProto:
        """The graph with the layers of ``chosen`` that it has quantised; others stay as they are."""
        layers = [layer for name, layer in self.map.layers.items() if name in chosen]
        if not layers:
            return self.model
        for tensor in self._quantised_tensors(layers):
            self._round(tensor, layers[0].dtype)
        self._redirect({id(layer.node) for layer in layers})
        for layer in layers:
            self._quantise_weight(layer)
        self._rebuild()
        onnx.checker.check_model(self.model, full_check=True)
        return self.model

    def _quantised_tensors(self, layers: Iterable[Layer]) -> list[str]:
        layers = list(layers)
        tensors = [layer.source for layer in layers]
        if self.rounds_results:
            tensors += [layer.result for layer in layers if not self._is_last(layer)]
        return list(dict.fromkeys(tensors))

    def _is_last(self, layer: Layer) -> bool:
        """Whether its result goes to the graph's output with nothing but a Concat between."""
        outputs = {value.name for value in self.model.graph.output}
        nodes = self.map.consumers[layer.result]
        return layer.result in outputs or any(
            node.op_type == "Concat" and node.output[0] in outputs for node in nodes
        )

    def _round(self, tensor: str, dtype: str) -> None:
        point = self.map.points[tensor]
        if point not in self.ranges:
            raise BundleError(f"the scale table has no range for {point}: calibrate this bundle anew")
        scale = Scale.of(self.ranges[point], self.scheme)
        self._constant(f"{point}.scale", np.array(scale.scale, dtype))
        self._constant(f"{point}.zero", np.array(scale.zero, scale.dtype))
        levels, rounded = f"{point}.levels", f"{point}.rounded"
        parameters = [f"{point}.scale", f"{point}.zero"]
        quantize = ("QuantizeLinear", [tensor, *parameters], [levels], f"{point}.quantize")
        dequantize = ("DequantizeLinear", [levels, *parameters], [rounded], f"{point}.dequantize")
        self._after[tensor] = [helper.make_node(*quantize), helper.make_node(*dequantize)]
        self._rounded[tensor] = rounded

    def _redirect(self, chosen: set[int]) -> None:
        """Let the chosen layers read the rounded tensors, and, where the stream is rounded, the sums too."""
        sums = {id(entry.node) for entry in self.map.sums} if self.rounds_sums else set()
        for node in self.model.graph.node:
            if id(node) in chosen or id(node) in sums or self.rounds_results:
                self._redirect_inputs(node, id(node) in sums)

    def _redirect_inputs(self, node: onnx.NodeProto, is_sum: bool) -> None:
        for i, name in enumerate(node.input):
            # TensorRT fuses a sum with the layer that works for it alone, so that operand stays as it is.
            fused = is_sum and not self.rounds_results and len(self.map.consumers[name]) == 1
            if name in self._rounded and not fused:
                node.input[i] = self._rounded[name]

    def _quantise_weight(self, layer: Layer) -> None:
        weight = numpy_helper.to_array(layer.weight).astype(np.float32)
        scales = weight_scales(weight)
        self._replace_constant(layer.node, 1, weight_levels(weight, scales), scales.astype(layer.dtype))
        if layer.bias is not None and self.scheme.unsigned and layer.dtype == "float32":
            self._quantise_bias(layer, scales)

    def _quantise_bias(self, layer: Layer, scales: NDArray[np.float32]) -> None:
        """Integer kernels add the bias to their sums, so it takes the product's scale."""
        assert layer.bias is not None
        source = Scale.of(self.ranges[self.map.points[layer.source]], self.scheme)
        products = (np.float32(source.scale) * scales).astype(np.float32)
        bias = numpy_helper.to_array(layer.bias).astype(np.float64)
        limit = 2**31 - 1
        levels = np.clip(np.rint(bias / products), -limit, limit).astype(np.int32)
        self._replace_constant(layer.node, 2, levels, products)

    def _replace_constant(
        self, reader: onnx.NodeProto, index: int, levels: NDArray[Any], scales: NDArray[Any]
    ) -> None:
        """Once for every reader with the same scales: recursive networks apply a weight several times."""
        name = reader.input[index]
        key = (name, scales.tobytes())
        if key not in self._constants:
            uses = sum(known == name for known, _ in self._constants)
            self._constants[key] = self._dequantised(f"{name}.{uses + 1}" if uses else name, levels, scales)
        reader.input[index] = self._constants[key]

    def _dequantised(self, name: str, levels: NDArray[Any], scales: NDArray[Any]) -> str:
        self._constant(f"{name}.levels", levels)
        self._constant(f"{name}.scale", scales)
        self._constant(f"{name}.zero", np.zeros(len(scales), levels.dtype))
        rounded = f"{name}.rounded"
        inputs = [f"{name}.levels", f"{name}.scale", f"{name}.zero"]
        node = helper.make_node("DequantizeLinear", inputs, [rounded], f"{name}.dequantize", axis=0)
        self._after.setdefault("", []).append(node)
        return rounded

    def _constant(self, name: str, array: NDArray[Any]) -> None:
        self.model.graph.initializer.append(numpy_helper.from_array(array, name))

    def _rebuild(self) -> None:
        """Put the new nodes behind the tensors they read; drop the constants that nobody reads any more."""
        nodes = [*self._after.get("", [])]
        for value in self.model.graph.input:
            nodes += self._after.get(value.name, [])
        for node in list(self.model.graph.node):
            nodes.append(node)
            for name in node.output:
                nodes += self._after.get(name, [])
        kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del self.model.graph.node[:]
        self.model.graph.node.extend(kept)
        read = {name for node in kept for name in node.input}
        used = [tensor for tensor in self.model.graph.initializer if tensor.name in read]
        copies = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in used]
        del self.model.graph.initializer[:]
        self.model.graph.initializer.extend(copies)


def quantised(
    model: onnx.ModelProto,
    ranges: Mapping[str, Range],
    scheme: str,
    chosen: Collection[str],
    residual: str = "float",
) -> onnx.ModelProto:
    """``model`` with Q/DQ pairs around the layers named in ``chosen``; it is left alone.

    ``ranges`` maps points to the values they cover. Raises ``BundleError`` when a point is missing there.
    """
    return Quantiser(model, ranges, QDQ_SCHEMES[scheme], residual).run(chosen)
