"""A network's weights on the way to the device, gathered from its bundle and packed for the kernels."""

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
class MapsPart:
    """The convolution that makes the maps from channel ``first`` on, by groups of ``group``, 32 or 16."""

    first: int
    group: int
    packed: Packed


@dataclass(frozen=True)
class EncoderWeights:
    """``blocks``: both convolutions of each residual block. ``chained``: in modes 1 and 2 what the modulation of each
    further layer takes from the one before it."""

    head: Packed
    blocks: tuple[tuple[Packed, Packed], ...]
    tail: Packed
    maps: tuple[MapsPart, ...]
    chained: Array | None


@dataclass(frozen=True)
class DecoderWeights:
    weights: Array
    floats: Array


def encoder_weights(tensors: Tensors, encoder: EncoderForm, decoder: DecoderForm) -> EncoderWeights:
    """From the tensors of a bundle's encoder graph; ``BundleError`` when one is missing."""
    blocks: list[list[Packed]] = []
    while f"encoder.body.{len(blocks)}.conv1.weight" in tensors:
        prefix = f"encoder.body.{len(blocks)}"
        blocks.append([_convolution(tensors, f"{prefix}.conv{i}", encoder.channels) for i in (1, 2)])
    return EncoderWeights(
        head=Packed(pack_head(_take(tensors, "encoder.head.weight")), _bias(tensors, "encoder.head")),
        blocks=tuple((first, second) for first, second in blocks),
        tail=_convolution(tensors, "encoder.tail", encoder.channels),
        maps=tuple(_maps(*_content(tensors, decoder), decoder)),
        chained=None if decoder.shares else _chained(tensors, decoder),
    )


def decoder_weights(tensors: Tensors, form: DecoderForm) -> DecoderWeights:
    """From ``Bundle.decoder_weights``."""
    return DecoderWeights(*pack_decoder(tensors, form))


def _content(tensors: Tensors, form: DecoderForm) -> tuple[Array, Array]:
    """Weights and biases of all content terms, as one convolution. In mode 1 only the first layer has any."""
    if form.mode != 1:
        names = sorted(name for name in tensors if name.startswith("content.") and name.endswith(".weight"))
        biases = [_bias(tensors, name[: -len(".weight")]) for name in names]
        return np.concatenate([_take(tensors, name) for name in names]), np.concatenate(biases)
    first = _take(tensors, "content.0.weight")
    biases = [_bias(tensors, f"chained.{i}") for i in range(len(form.widths) - 1)]
    weight = widened(first, sum(form.widths), *first.shape[1:])
    return weight, np.concatenate([_bias(tensors, "content.0"), *biases])


def _maps(weight: Array, bias: Array, form: DecoderForm) -> Iterator[MapsPart]:
    """Outputs laid out as the decoder reads them, by groups of 32 and at the end of 16."""
    weight, bias = by_layers(weight, form.widths), by_layers(bias, form.widths)
    whole = form.channels // 32 * 32
    for first, last, group in ((0, whole, 32), (whole, form.channels, STEP)):
        if first < last:
            packed = Packed(pack_convolution(weight[first:last], group), bias[first:last])
            yield MapsPart(first, group, packed)


def _chained(tensors: Tensors, form: DecoderForm) -> Array:
    weights = [_take(tensors, f"chained.{i}.weight")[..., 0, 0] for i in range(len(form.widths) - 1)]
    return pack_chain(weights, form)


def _convolution(tensors: Tensors, name: str, group: int) -> Packed:
    return Packed(pack_convolution(_take(tensors, f"{name}.weight"), group), _bias(tensors, name))


def _bias(tensors: Tensors, name: str) -> Array:
    return np.ascontiguousarray(_take(tensors, f"{name}.bias"), np.float32)


def _take(tensors: Tensors, name: str) -> Array:
    if name not in tensors:
        raise BundleError(f"expected {name} in the encoder's graph, found none: export the bundle again")
    return np.asarray(tensors[name], np.float32)
