"""One run of an encoder: each layer's kernel by its precision and the variant, with what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda import kernels
from edge_sr.backends.cuda.kernels import Kernel, Launch
from edge_sr.backends.cuda.network.form import DecoderForm, EncoderForm, Int8Form
from edge_sr.backends.cuda.network.weights import Layer, Packed, PackedLevels

Place = Callable[[NDArray[Any]], int]
"""Puts an array where kernels can read it, 16 bytes aligned, for as long as the program is used; its address."""

Resident = Callable[[Kernel], int]
"""How many blocks of a kernel the whole GPU holds at once."""

FEATURES = 3
"""How many feature pictures an encoder works with."""


@dataclass(frozen=True)
class Variant:
    """How residual blocks are computed: in ``pairs`` of so many warps, or, 0, layer by layer; ``ahead``: the next
    tile is copied while one is computed; ``narrow``: sums in float16 over six products. The last two are float16's."""

    pairs: int = 0
    ahead: bool = False
    narrow: bool = False

    @property
    def name(self) -> str:
        road = f"pairs of {self.pairs} warps" if self.pairs else "layers"
        return ", ".join(filter(None, (road, "ahead" * self.ahead, "narrow sums" * self.narrow)))


@dataclass(frozen=True)
class Features:
    """Three feature pictures and the maps of one encoder run, and the size of its picture."""

    first: int
    current: int
    spare: int
    maps: int
    height: int
    width: int


@dataclass(frozen=True)
class Placed:
    """A layer's addresses; ``scale`` and ``input_scale`` are 0 for float16."""

    weights: int
    bias: int
    scale: int = 0
    input_scale: float = 0.0

    @property
    def int8(self) -> bool:
        return self.scale != 0

    @property
    def inverse(self) -> float:
        """What values are multiplied by to make the levels that it reads."""
        return 1 / self.input_scale if self.int8 else 0.0


def placed(layer: Layer, place: Place) -> Placed:
    weights, bias = place(layer.weights), place(layer.bias)
    if isinstance(layer, Packed):
        return Placed(weights, bias)
    return Placed(weights, bias, place(layer.scale), layer.input_scale)


def joined(first: Layer, second: Layer) -> Layer | None:
    """Both convolutions of a residual block as one kernel takes them; ``None`` for one of each precision."""

    def both(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(layer, name).reshape(-1) for layer in (first, second)])

    if isinstance(first, Packed) and isinstance(second, Packed):
        return Packed(both("weights"), both("bias"))
    if isinstance(first, PackedLevels) and isinstance(second, PackedLevels):
        return PackedLevels(both("weights"), both("bias"), both("scale"), first.input_scale)
    return None


@dataclass(frozen=True)
class EncoderRun:
    """The launches of one run of an encoder."""

    form: EncoderForm
    at: Features
    variant: Variant
    resident: Resident

    @property
    def _int8(self) -> Int8Form:
        return Int8Form(self.form.channels)

    def _tiles(self, kernel: Kernel) -> tuple[int, int]:
        return kernels.count_tiles(kernel, self.at.height, self.at.width)

    def head(self, image: int, io: str, placed: Placed) -> Launch:
        """From the picture to the first features."""
        kernel = kernels.head(self.form, io)
        across, tiles = self._tiles(kernel)
        size = self.at.height, self.at.width
        parameters = kernels.HeadParameters(image, placed.weights, placed.bias, self.at.first, *size, across)
        return Launch(kernel, (tiles, 1), parameters)

    def pair(self, source: int, both: Placed, target: int, second: Placed) -> Launch:
        """A whole residual block."""
        if both.int8:
            kernel = kernels.int8_pair(self._int8, self.variant.pairs)
        else:
            kernel = kernels.pair(self.form, self.variant.pairs, narrow=self.variant.narrow)
        across, tiles = self._tiles(kernel)
        shape = self.at.height, self.at.width, across, tiles
        parameters: kernels.Parameters
        if both.int8:
            addresses = source, both.weights, both.scale, both.bias, target
            parameters = kernels.Int8ResidualParameters(*addresses, *shape, both.inverse, second.inverse)
        else:
            parameters = kernels.ResidualParameters(source, both.weights, both.bias, target, *shape)
        return Launch(kernel, (min(tiles, self.resident(kernel)), 1), parameters)

    def rectified(self, source: int, layer: Placed, target: int, following: Placed) -> Launch:
        """A residual block's first convolution; levels, where the second reads such."""
        if layer.int8:
            kernel = kernels.int8_layer(self._int8, "relu_levels" if following.int8 else "relu")
        elif following.int8:
            kernel = kernels.to_levels(self._int8, "relu_levels")
        else:
            kernel = self._float16("relu")
        return self._features(kernel, source, layer, target, 0, following)

    def added(self, source: int, layer: Placed, target: int, residual: int) -> Launch:
        """A residual block's second convolution, and what it is added to."""
        kernel = kernels.int8_layer(self._int8, "residual") if layer.int8 else self._float16("residual")
        return self._features(kernel, source, layer, target, residual, None)

    def tail(self, source: int, layer: Placed, target: int, maps: Placed) -> Launch:
        """The last features; levels, where the maps are made of such."""
        if layer.int8:
            kernel = kernels.int8_layer(self._int8, "tail_levels" if maps.int8 else "tail")
        elif maps.int8:
            kernel = kernels.to_levels(self._int8, "residual_levels")
        else:
            kernel = self._float16("residual")
        return self._features(kernel, source, layer, target, self.at.first, maps)

    def maps(
        self, features: int, parts: list[tuple[int, int, Placed]], decoder: DecoderForm
    ) -> Iterator[Launch]:
        """The maps, by groups of 32 and at the end of 16."""
        for first, group, layer in parts:
            end = "maps" if group == 32 else "maps_rest"
            kernel = kernels.layer(self.form, end, narrow=self.variant.narrow)
            if layer.int8:
                kernel = kernels.int8_layer(self._int8, end)
            last = decoder.channels // 32 * 32 if group == 32 else decoder.channels
            rectified = max(0, min(decoder.layers[0], last) - first)
            where = 2 * decoder.channels, 2 * first, rectified
            groups = (last - first) // group
            yield self._layer(kernel, features, layer, self.at.maps, 0, groups, where, 0.0)

    def _float16(self, end: str) -> Kernel:
        return kernels.layer(self.form, end, ahead=self.variant.ahead, narrow=self.variant.narrow)

    def _features(
        self, kernel: Kernel, source: int, layer: Placed, target: int, residual: int, following: Placed | None
    ) -> Launch:
        levels = following is not None and following.int8
        inverse = following.inverse if following is not None else 0.0
        pixel = self.form.channels * (1 if levels else 2)
        return self._layer(kernel, source, layer, target, residual, 1, (pixel, 0, 0), inverse)

    def _layer(
        self,
        kernel: Kernel,
        source: int,
        layer: Placed,
        target: int,
        residual: int,
        groups: int,
        where: tuple[int, int, int],
        inverse: float,
    ) -> Launch:
        across, tiles = self._tiles(kernel)
        addresses = source, layer.weights, layer.bias, residual, target, layer.scale
        shape = self.at.height, self.at.width, across, tiles
        parameters = kernels.LayerParameters(*addresses, *shape, *where, layer.inverse, inverse)
        blocks = min(tiles, max(1, self.resident(kernel) // groups))
        return Launch(kernel, (blocks, groups), parameters)
