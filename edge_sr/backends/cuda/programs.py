"""What is launched, in order, to encode a picture and to decode maps; addresses are the device's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_sr.backends.cuda import kernels
from edge_sr.backends.cuda.encoder_run import (
    EncoderRun,
    Features,
    Place,
    Placed,
    Resident,
    Variant,
    joined,
    placed,
)
from edge_sr.backends.cuda.kernels import Launch
from edge_sr.backends.cuda.network.form import DecoderForm, EncoderForm
from edge_sr.backends.cuda.network.weights import DecoderWeights, EncoderWeights, Layer


class EncoderProgram:
    """An encoder whose weights have been placed."""

    def __init__(
        self, form: EncoderForm, decoder: DecoderForm, weights: EncoderWeights, place: Place
    ) -> None:
        self._form, self._decoder = form, decoder
        self._head, self._tail = placed(weights.head, place), placed(weights.tail, place)
        self._blocks = [_placed_block(*block, place) for block in weights.blocks]
        self._maps = [(part.first, part.group, placed(part.packed, place)) for part in weights.maps]
        self._chain = None if weights.chained is None else place(weights.chained)

    @property
    def layers(self) -> str:
        """Its layers' precisions, in order: ``f`` for float16, ``i`` for int8."""
        blocks = [layer for block in self._blocks for layer in (block.first, block.second)]
        return "".join("i" if layer.int8 else "f" for layer in (*blocks, self._tail, self._maps[0][2]))

    @property
    def int8(self) -> bool:
        """Whether any layer is int8, so that the kernels of an ``Int8Form`` are needed."""
        return "i" in self.layers

    def launches(
        self, image: int, io: str, at: Features, variant: Variant, resident: Resident
    ) -> list[Launch]:
        """From the picture to the maps."""
        run = EncoderRun(self._form, at, variant, resident)
        done = [run.head(image, io, self._head)]
        current = at.first
        for block in self._blocks:
            middle = _other(at, current)
            if variant.pairs and block.pair is not None:
                done.append(run.pair(current, block.pair, middle, block.second))
                current = middle
            else:
                target = at.current if current == at.first else current
                done.append(run.rectified(current, block.first, middle, block.second))
                done.append(run.added(middle, block.second, target, current))
                current = target
        features = _other(at, current)
        done.append(run.tail(current, self._tail, features, self._maps[0][2]))
        done.extend(run.maps(features, self._maps, self._decoder))
        done.extend(self._finish(at))
        return done

    def _finish(self, at: Features) -> Iterator[Launch]:
        if self._chain is not None:
            kernel, pixels = kernels.chain(self._decoder), at.height * at.width
            yield Launch(
                kernel,
                (-(-pixels // kernel.tile[1]), 1),
                kernels.ChainParameters(at.maps, self._chain, pixels),
            )


def _other(at: Features, current: int) -> int:
    """A picture that is free while ``current`` is read; the first one is kept for the tail."""
    return at.current if current == at.spare else at.spare


@dataclass(frozen=True)
class _Block:
    """Both convolutions, and together where both have one precision."""

    first: Placed
    second: Placed
    pair: Placed | None


def _placed_block(first: Layer, second: Layer, place: Place) -> _Block:
    both = joined(first, second)
    return _Block(placed(first, place), placed(second, place), None if both is None else placed(both, place))


@dataclass(frozen=True)
class DevicePositions:
    """Where the output's pixels lie: four arrays and the cell ratio on the device, and the size of the output."""

    rows: int
    cols: int
    offset_y: int
    offset_x: int
    ratio: int
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
            positions.ratio,
            output,
            *size,
            positions.height,
            positions.width,
        )
        return Launch(kernel, (across, tiles // across), parameters)
