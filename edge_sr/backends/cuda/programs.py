"""What is launched, in order, to encode a picture and to decode maps; addresses are the device's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda import kernels
from edge_sr.backends.cuda.kernels import Kernel, Launch
from edge_sr.backends.cuda.network.form import DecoderForm, EncoderForm
from edge_sr.backends.cuda.network.weights import DecoderWeights, EncoderWeights, Packed

Place = Callable[[NDArray[Any]], int]
"""Puts an array where kernels can read it, 16 bytes aligned, for as long as the program is used; its address."""

Resident = Callable[[Kernel], int]
"""How many blocks of a kernel the whole GPU holds at once."""

FEATURES = 3
"""How many feature pictures an encoder works with."""


@dataclass(frozen=True)
class Variant:
    """How residual blocks are computed: in ``pairs`` of so many warps, or, 0, layer by layer; ``ahead``: the next
    tile is copied while one is computed; ``narrow``: sums in float16 over six products."""

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
class _Placed:
    weights: int
    bias: int


class EncoderProgram:
    """An encoder whose weights have been placed."""

    def __init__(
        self, form: EncoderForm, decoder: DecoderForm, weights: EncoderWeights, place: Place
    ) -> None:
        def placed(packed: Packed) -> _Placed:
            return _Placed(place(packed.weights), place(packed.bias))

        self._form, self._decoder = form, decoder
        self._head, self._tail = placed(weights.head), placed(weights.tail)
        self._layers = [(placed(first), placed(second)) for first, second in weights.blocks]
        self._pairs = [placed(_joined(first, second)) for first, second in weights.blocks]
        self._maps = [(part.first, part.group, placed(part.packed)) for part in weights.maps]
        self._chain = None if weights.chained is None else place(weights.chained)

    def launches(
        self, image: int, io: str, at: Features, variant: Variant, resident: Resident
    ) -> list[Launch]:
        """From the picture to the maps."""
        run = _Run(self._form, at, variant, resident)
        done = [run.head(image, io, self._head)]
        current = at.first
        for layers, pair in zip(self._layers, self._pairs, strict=True):
            if variant.pairs:
                target = at.spare if current == at.current else at.current
                done.append(run.pair(current, pair, target))
                current = target
            else:
                done.append(run.layer("relu", current, layers[0], at.spare))
                done.append(run.layer("residual", at.spare, layers[1], at.current, residual=current))
                current = at.current
        features = at.spare if current == at.current else at.current
        done.append(run.layer("residual", current, self._tail, features, residual=at.first))
        done.extend(run.maps(features, self._maps, self._decoder))
        done.extend(self._finish(at))
        return done

    def _finish(self, at: Features) -> Iterator[Launch]:
        if self._chain is not None and len(self._decoder.layers) > 1:
            kernel, pixels = kernels.chain(self._decoder), at.height * at.width
            yield Launch(
                kernel,
                (-(-pixels // kernel.tile[1]), 1),
                kernels.ChainParameters(at.maps, self._chain, pixels),
            )


def _joined(first: Packed, second: Packed) -> Packed:
    return Packed(
        np.concatenate([first.weights.reshape(-1), second.weights.reshape(-1)]),
        np.concatenate([first.bias, second.bias]),
    )


@dataclass(frozen=True)
class _Run:
    """The launches of one run of an encoder."""

    form: EncoderForm
    at: Features
    variant: Variant
    resident: Resident

    def _tiles(self, kernel: Kernel) -> tuple[int, int]:
        return kernels.count_tiles(kernel, self.at.height, self.at.width)

    def head(self, image: int, io: str, placed: _Placed) -> Launch:
        kernel = kernels.head(self.form, io)
        across, tiles = self._tiles(kernel)
        size = self.at.height, self.at.width
        parameters = kernels.HeadParameters(image, placed.weights, placed.bias, self.at.first, *size, across)
        return Launch(kernel, (tiles, 1), parameters)

    def pair(self, source: int, placed: _Placed, target: int) -> Launch:
        kernel = kernels.pair(self.form, self.variant.pairs, narrow=self.variant.narrow)
        across, tiles = self._tiles(kernel)
        size = self.at.height, self.at.width
        parameters = kernels.ResidualParameters(
            source, placed.weights, placed.bias, target, *size, across, tiles
        )
        return Launch(kernel, (min(tiles, self.resident(kernel)), 1), parameters)

    def layer(self, end: str, source: int, placed: _Placed, target: int, residual: int = 0) -> Launch:
        kernel = kernels.layer(self.form, end, ahead=self.variant.ahead, narrow=self.variant.narrow)
        pixel = 2 * self.form.channels
        return self._layer(kernel, source, placed, target, residual, 1, (pixel, 0, 0))

    def maps(
        self, features: int, parts: list[tuple[int, int, _Placed]], decoder: DecoderForm
    ) -> Iterator[Launch]:
        for first, group, placed in parts:
            end = "maps" if group == 32 else "maps_rest"
            kernel = kernels.layer(self.form, end, narrow=self.variant.narrow)
            last = decoder.channels // 32 * 32 if group == 32 else decoder.channels
            rectified = max(0, min(decoder.layers[0], last) - first)
            where = 2 * decoder.channels, 2 * first, rectified
            yield self._layer(kernel, features, placed, self.at.maps, 0, (last - first) // group, where)

    def _layer(
        self,
        kernel: Kernel,
        source: int,
        placed: _Placed,
        target: int,
        residual: int,
        groups: int,
        where: tuple[int, int, int],
    ) -> Launch:
        across, tiles = self._tiles(kernel)
        parameters = kernels.LayerParameters(
            source,
            placed.weights,
            placed.bias,
            residual,
            target,
            self.at.height,
            self.at.width,
            across,
            tiles,
            *where,
        )
        blocks = min(tiles, max(1, self.resident(kernel) // groups))
        return Launch(kernel, (blocks, groups), parameters)


@dataclass(frozen=True)
class DevicePositions:
    """Where the output's pixels lie: four arrays on the device, the cell ratio, and the size of the output."""

    rows: int
    cols: int
    offset_y: int
    offset_x: int
    ratio: float
    height: int
    width: int


class DecoderProgram:
    """A decoder whose weights have been placed."""

    def __init__(self, form: DecoderForm, weights: DecoderWeights, place: Place) -> None:
        self._form = form
        self._weights, self._floats = place(weights.weights), place(weights.floats)

    def launch(
        self, maps: int, image: int, io: str, size: tuple[int, int], positions: DevicePositions, output: int
    ) -> Launch:
        """From maps of ``size`` = ``(height, width)`` to the pixels at ``output``."""
        kernel = kernels.decode(self._form, io)
        across, tiles = kernels.count_tiles(kernel, positions.height, positions.width)
        parameters = kernels.DecodeParameters(
            maps,
            image,
            positions.rows,
            positions.cols,
            positions.offset_y,
            positions.offset_x,
            self._weights,
            self._floats,
            output,
            positions.ratio,
            *size,
            positions.height,
            positions.width,
        )
        return Launch(kernel, (across, tiles // across), parameters)
