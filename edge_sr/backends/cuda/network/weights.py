"""A network's weights on the way to the device, gathered from its bundle and packed for the kernels.

Of a layer that a bundle holds in int8 there are its ``levels``, a ``scale`` for each output and, added by
``network/int8.py``, the scale of its input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda.network.form import STEP, DecoderForm, EncoderForm
from edge_sr.backends.cuda.network.packing import (
    by_layers,
    pack_chain,
    pack_convolution,
    pack_decoder,
    pack_head,
    pack_levels,
    widened,
)
from edge_sr.errors import BundleError

Array = NDArray[Any]
Tensors = Mapping[str, Array]


@dataclass(frozen=True)
class Packed:
    """One kernel's weights, float16, and biases, float32."""

    weights: Array
    bias: Array


@dataclass(frozen=True)
class PackedLevels:
    """One int8 layer's: ``scale`` of each output, the input's times the weights', and ``input_scale`` alone."""

    weights: Array
    bias: Array
    scale: Array
    input_scale: float


Layer = Packed | PackedLevels


@dataclass(frozen=True)
class MapsPart:
    """The convolution that makes the maps from channel ``first`` on, by groups of ``group``, 32 or 16."""

    first: int
    group: int
    packed: Layer


@dataclass(frozen=True)
class EncoderWeights:
    """``blocks``: both convolutions of each residual block. ``chained``: in modes 1 and 2 what the modulation of each
    further layer takes from the one before it."""

    head: Packed
    blocks: tuple[tuple[Layer, Layer], ...]
    tail: Layer
    maps: tuple[MapsPart, ...]
    chained: Array | None


@dataclass(frozen=True)
class DecoderWeights:
    weights: Array
    floats: Array


def encoder_weights(tensors: Tensors, encoder: EncoderForm, decoder: DecoderForm) -> EncoderWeights:
    """From the tensors of a bundle's encoder graph; ``BundleError`` when one is missing."""
    blocks: list[list[Layer]] = []
    while f"encoder.body.{len(blocks)}.conv1.bias" in tensors:
        prefix = f"encoder.body.{len(blocks)}"
        blocks.append([_convolution(tensors, f"{prefix}.conv{i}", encoder.channels) for i in (1, 2)])
    return EncoderWeights(
        head=Packed(pack_head(_take(tensors, "encoder.head.weight")), _bias(tensors, "encoder.head")),
        blocks=tuple((first, second) for first, second in blocks),
        tail=_convolution(tensors, "encoder.tail", encoder.channels),
        maps=tuple(_maps(tensors, decoder)),
        chained=None if decoder.shares or len(decoder.widths) == 1 else _chained(tensors, decoder),
    )


def decoder_weights(tensors: Tensors, form: DecoderForm) -> DecoderWeights:
    """From ``Bundle.decoder_weights``."""
    return DecoderWeights(*pack_decoder(tensors, form))


def _content(form: DecoderForm, tensors: Tensors) -> tuple[list[str], Array]:
    """The layers that the maps' content terms come from, and all biases. In mode 1 only the first has any weights."""
    if form.mode != 1:
        found = [name[:-5] for name in tensors if name.startswith("content.") and name.endswith(".bias")]
        names = sorted(found, key=lambda name: int(name.split(".")[1]))
        return names, np.concatenate([_bias(tensors, name) for name in names])
    biases = [_bias(tensors, f"chained.{i}") for i in range(len(form.widths) - 1)]
    return ["content.0"], np.concatenate([_bias(tensors, "content.0"), *biases])


def _maps(tensors: Tensors, form: DecoderForm) -> Iterator[MapsPart]:
    """Outputs laid out as the decoder reads them, by groups of 32 and at the end of 16.

    They are int8 where all content terms are: else the others' weights are as exact as float16.
    """
    names, bias = _content(form, tensors)
    whole = form.channels // 32 * 32
    parts = [part for part in ((0, whole, 32), (whole, form.channels, STEP)) if part[0] < part[1]]
    bias = by_layers(bias, form.widths)

    def laid(arrays: list[Array]) -> Array:
        array = np.concatenate(arrays)
        return by_layers(widened(array, sum(form.widths), *array.shape[1:]), form.widths)

    if not all(_is_int8(tensors, name) for name in names):
        weight = laid([_take(tensors, f"{name}.weight") for name in names])
        for first, last, group in parts:
            yield MapsPart(
                first, group, Packed(pack_convolution(weight[first:last], group), bias[first:last])
            )
        return
    levels = laid([tensors[f"{name}.weight.levels"] for name in names])
    scale, given = laid([_scales(tensors, name) for name in names]), _input_scale(tensors, names[0])
    for first, last, group in parts:
        packed = pack_levels(levels[first:last], group)
        yield MapsPart(first, group, PackedLevels(packed, bias[first:last], scale[first:last], given))


def _chained(tensors: Tensors, form: DecoderForm) -> Array:
    weights = [_take(tensors, f"chained.{i}.weight")[..., 0, 0] for i in range(len(form.widths) - 1)]
    return pack_chain(weights, form)


def _convolution(tensors: Tensors, name: str, group: int) -> Layer:
    bias = _bias(tensors, name)
    if not _is_int8(tensors, name):
        return Packed(pack_convolution(_take(tensors, f"{name}.weight"), group), bias)
    levels = pack_levels(tensors[f"{name}.weight.levels"], group)
    return PackedLevels(levels, bias, _scales(tensors, name), _input_scale(tensors, name))


def _is_int8(tensors: Tensors, name: str) -> bool:
    return f"{name}.input.scale" in tensors


def _input_scale(tensors: Tensors, name: str) -> float:
    return float(tensors[f"{name}.input.scale"])


def _scales(tensors: Tensors, name: str) -> Array:
    """What a level of each output's sum is worth."""
    own = _take(tensors, f"{name}.weight.scale") * np.float32(_input_scale(tensors, name))
    return np.ascontiguousarray(np.broadcast_to(own, len(tensors[f"{name}.weight.levels"])), np.float32)


def _bias(tensors: Tensors, name: str) -> Array:
    return np.ascontiguousarray(_take(tensors, f"{name}.bias"), np.float32)


def _take(tensors: Tensors, name: str) -> Array:
    if name in tensors:
        return np.asarray(tensors[name], np.float32)
    if f"{name}.levels" in tensors:
        levels, scale = tensors[f"{name}.levels"], tensors[f"{name}.scale"]
        return (levels * scale.reshape(-1, *[1] * (levels.ndim - 1)).astype(np.float32)).astype(np.float32)
    raise BundleError(f"expected {name} in the encoder's graph, found none: export the bundle again")
