"""Calibration's subject where a bundle is one graph from picture to picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import onnx
from numpy.typing import NDArray

from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.registry import AROUND_NETWORKS
from edge_sr.bundle import Bundle
from edge_sr.calibration.graph.ends import ends, pixels
from edge_sr.calibration.graph.layers import GraphMap
from edge_sr.calibration.ranges.methods import Probe
from edge_sr.calibration.recipe import Recipe
from edge_sr.calibration.search.trial import Draw, Models, Picture, Shape, Sight, Tensors, open_graph
from edge_sr.errors import BundleError, first_line
from edge_sr.grid import sampling_grid
from edge_sr.machine.description import available_cores

# From here on ONNX has scales for each channel.
LEAST_OPSET = 13


class ReferenceNetwork:
    """The graph in FP32, inside the runner that `upscale` and `evaluate` run it in.

    Raises ``BundleError`` for a graph that cannot be quantised, or has nothing between its first and its last layer.
    """

    main = "network"

    def __init__(self, bundle: Bundle) -> None:
        model = onnx.load(bundle.graph("network", "fp32"))
        _check(bundle, model)
        self.models: Models = {"network": model}
        self._bundle, self._threads = bundle, available_cores()
        self._work = _work(model)
        if not self._work:
            raise BundleError(
                f"{bundle.name} has no convolution between its first and its last: nothing to quantise"
            )

    def work(self, _scheme: str, _recipe: Recipe) -> dict[str, int]:
        """Every convolution but those at the ends, in both schemes."""
        return self._work

    def drawer(self, models: Models, *, simulate: bool = True) -> Draw:
        session = open_graph(models["network"], self._threads, simulate=simulate)
        return self._around(lambda image: session.run(None, {"image": image})[0])

    def activations(
        self, models: Models, _parts: Collection[str], sights: Iterable[Sight]
    ) -> Iterator[Tensors]:
        probe, seen = Probe(models["network"], self._threads), list[Tensors]()

        def watched(image: NDArray[Any]) -> NDArray[Any]:
            frame, tensors = probe.run({"image": image})
            seen.append(tensors)
            return frame

        draw = self._around(watched)
        for low, shape in sights:
            draw(low, shape)
            while seen:
                yield seen.pop()

    def _around(self, run: Callable[[NDArray[Any]], NDArray[Any]]) -> Draw:
        runner = AROUND_NETWORKS[self._bundle.kind](RunnerConfig(self._bundle, "fp32"), _Given(run))

        def draw(low: Picture, shape: Shape) -> Picture:
            grid = sampling_grid(low.shape[1::-1], (shape[1], shape[0]))
            picture: Picture = runner.decode(runner.encode(low[None]), low[None], grid)[0]
            return picture

        return draw


class _Given:
    """A graph in memory where a runner expects one that a backend opened."""

    backend = "onnxruntime"

    def __init__(self, run: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
        self._run = run

    def encode(self, image: NDArray[Any]) -> NDArray[Any]:
        return self._run(image)


def _check(bundle: Bundle, model: onnx.ModelProto) -> None:
    """External graphs may be of any opset and type; ours pass."""
    opset = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    types = {layer.weight.data_type for layer in GraphMap(model).layers.values()}
    if opset < LEAST_OPSET or types - {onnx.TensorProto.FLOAT}:
        raise BundleError(
            f"INT8 needs a float32 graph of opset {LEAST_OPSET} or later, and {bundle.name}'s is of {opset} "
            "or of another type: export the network anew"
        )
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise BundleError(f"{bundle.name}'s graph is unsound: {first_line(error)}") from error


def _work(model: onnx.ModelProto) -> dict[str, int]:
    graph = GraphMap(model)
    kept, made = ends(graph), pixels(model)
    return {
        name: round(made.get(layer.node.output[0], 1) * math.prod(layer.weight.dims))
        for name, layer in graph.layers.items()
        if name not in kept
    }
