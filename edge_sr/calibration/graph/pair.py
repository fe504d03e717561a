"""Calibration's subject where a bundle is an encoder and a decoder."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edge_sr.backends.sampling import TileSampler
from edge_sr.backends.tiles import decoder_strips
from edge_sr.bundle import Bundle
from edge_sr.calibration.graph.layers import GraphMap
from edge_sr.calibration.ranges.methods import Probe
from edge_sr.calibration.recipe import Recipe
from edge_sr.calibration.search.trial import Draw, Models, Picture, Shape, Sight, Tensors, open_graph
from edge_sr.grid import sampling_grid
from edge_sr.machine.description import available_cores

LAST_LAYER = "synthesis.last_layer"  # makes the output, which stays float
DECODER_WORK = 4  # output pixels for each LR pixel at twice the size


class ReferencePair:
    """Both graphs in FP32; the decoder is the one without gathers where the bundle has it."""

    main = "encoder"

    def __init__(self, bundle: Bundle) -> None:
        self.sampled = bundle.find("decoder-sampled", "fp32") is not None
        decoder = onnx.load(bundle.graph("decoder-sampled" if self.sampled else "decoder", "fp32"))
        self.models: Models = {"encoder": onnx.load(bundle.graph("encoder", "fp32")), "decoder": decoder}
        self._halo = bundle.description.halo
        self._threads = available_cores()
        self._inputs = {value.name for value in decoder.graph.input}
        self._exact = open_graph(decoder, self._threads)

    def work(self, scheme: str, recipe: Recipe) -> dict[str, int]:
        """TensorRT may quantise the decoder too; on a CPU its sines cost more than its products would."""
        parts = {"encoder": 1, "decoder": DECODER_WORK if scheme == "int8" else 0}
        return {
            name: parts[part] * int(np.prod(layer.weight.dims))
            for part, model in self.models.items()
            if part in recipe.parts and parts[part]
            for name, layer in GraphMap(model).layers.items()
            if name != LAST_LAYER
        }

    def drawer(self, models: Models, *, simulate: bool = True) -> Draw:
        encode = open_graph(models["encoder"], self._threads, simulate=simulate)
        decode = self._exact
        if "decoder" in models:
            decode = open_graph(models["decoder"], self._threads, simulate=simulate)
        half = any(port.name == "maps" and port.type == "tensor(float16)" for port in decode.get_inputs())
        dtype = np.float16 if half else np.float32

        def draw(low: Picture, shape: Shape) -> Picture:
            maps = encode.run(None, {"image": low[None]})[0]
            return self._decode(decode, maps.astype(dtype, copy=False), low, shape)

        return draw

    def activations(
        self, models: Models, parts: Collection[str], sights: Iterable[Sight]
    ) -> Iterator[Tensors]:
        """The encoder's, whatever ``parts`` says, and the decoder's."""
        encoder = Probe(models["encoder"], self._threads)
        decoder = Probe(models["decoder"], self._threads) if "decoder" in parts else None
        for low, shape in sights:
            maps, tensors = encoder.run({"image": low[None]})
            yield tensors
            if decoder is not None:
                yield decoder.run(self._whole_feeds(maps, low, shape))[1]

    def _whole_feeds(self, maps: NDArray[Any], low: Picture, shape: Shape) -> dict[str, NDArray[Any]]:
        """The decoder's inputs for a whole picture of ``shape`` in one piece."""
        grid = sampling_grid(low.shape[1::-1], (shape[1], shape[0]), halo=self._halo)
        return TileSampler(maps, low[None], sampled=self.sampled).feeds(self._inputs, grid)

    def _decode(self, session: Any, maps: NDArray[Any], low: Picture, shape: Shape) -> Picture:
        if not self.sampled:
            whole: Picture = session.run(None, self._whole_feeds(maps, low, shape))[0][0]
            return whole
        frame = np.empty((1, *shape[:2], 3), np.uint8)
        sampler = TileSampler(maps, low[None])
        grid = sampling_grid(low.shape[1::-1], (shape[1], shape[0]))
        for tile in chain.from_iterable(decoder_strips(grid)):
            tile.place(session.run(None, sampler.feeds(self._inputs, tile.grid))[0], frame)
        picture: Picture = frame[0]
        return picture
