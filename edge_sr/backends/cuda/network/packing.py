"""Weights in the order in which a warp's lanes read them, for the products of ``cuda/kernels``.

A product of halves takes 16 inputs and 8 columns at a time. Of its 16 x 8 weights, lane ``l`` holds rows ``2t``,
``2t + 1`` (register 0) and ``2t + 8, 2t + 9`` (register 1) of column ``l // 4``, with ``t = l % 4`` (PTX ISA,
``mma.m16n8k16``). One of int8 takes 32 inputs: rows ``4t`` to ``4t + 3``, and those 16 further (``mma.m16n8k32``). A
group of ``n`` units is read in an order of its own, so that a lane ends up with adjacent ones: see ``unit_order``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda.network.form import DecoderForm, padded

Array = NDArray[Any]
LANES, COLUMNS, STEP = 32, 8, 16
LEVELS_STEP = 32


def unit_order(count: int) -> NDArray[np.intp]:
    """The unit in each column of a group: ``2nt + 2j + e`` is column ``8j + 2t + e``, with ``n = count / 8``."""
    column = np.arange(count)
    j, t, e = column // 8, column % 8 // 2, column % 2
    return 2 * (count // 8) * t + 2 * j + e


def fragments(matrix: Array) -> Array:
    """``16 n x 8`` halves as ``n x 32 lanes x 4``, or ``32 n x 8`` bytes as ``n x 32 x 8``: two registers of each."""
    each = 4 // matrix.dtype.itemsize
    steps = matrix.reshape(-1, 2, 4, each, COLUMNS)  # step, register, t, value in the register, column
    return np.ascontiguousarray(steps.transpose(0, 4, 2, 1, 3).reshape(len(steps), LANES, 2 * each))


def pack_columns(matrix: Array) -> Array:
    """``inputs x units``, float16 or int8: by 16 or 32 inputs, by pairs of 8 columns, by lane, the registers of both.

    Columns are taken in ``unit_order``; units are a multiple of 16.
    """
    ordered = matrix[:, unit_order(matrix.shape[1])]
    tiles = [fragments(ordered[:, i : i + COLUMNS]) for i in range(0, ordered.shape[1], COLUMNS)]
    pairs = [np.concatenate(tiles[i : i + 2], axis=2) for i in range(0, len(tiles), 2)]
    return np.stack(pairs, axis=1)


def pack_convolution(weight: Array, group: int) -> Array:
    """``outputs x inputs x 3 x 3`` for ``layer.h``: groups of ``group`` outputs, one after the other, as float16."""
    return _by_groups(weight.astype(np.float16), group, STEP)


def pack_levels(levels: Array, group: int) -> Array:
    """The same of int8 for ``layer_int8.h``."""
    return _by_groups(levels, group, LEVELS_STEP)


def _by_groups(weight: Array, group: int, step: int) -> Array:
    taps = weight.transpose(2, 3, 1, 0).reshape(-1, len(weight))
    whole = widened(taps, -(-len(taps) // step) * step, len(weight))
    parts = [pack_columns(whole[:, i : i + group]) for i in range(0, len(weight), group)]
    return np.ascontiguousarray(np.stack(parts))


def pack_head(weight: Array) -> Array:
    """``outputs x 3 x 3 x 3`` for ``head.h``: four inputs a tap, the last zero, and three taps of zeros."""
    taps = np.zeros((12, 4, len(weight)), np.float16)
    taps[:9, :3] = weight.transpose(2, 3, 1, 0).reshape(9, 3, -1)
    return np.ascontiguousarray(pack_columns(taps.reshape(48, -1)))


def widened(array: Array, *shape: int) -> Array:
    """The array with zeros after it in every axis, up to ``shape``."""
    return np.pad(array, [(0, new - old) for old, new in zip(array.shape, shape, strict=True)])


def by_layers(values: Array, widths: tuple[int, ...]) -> Array:
    """Values that run over all layers' units on axis 0, each layer's padded to what the kernels have."""
    parts = np.split(values, np.cumsum(widths)[:-1])
    rest = values.shape[1:]
    return np.concatenate(
        [widened(part, padded(width), *rest) for part, width in zip(parts, widths, strict=True)]
    )


def pack_decoder(weights: Mapping[str, Array], form: DecoderForm) -> tuple[Array, Array]:
    """A bundle's decoder weights (``Bundle.decoder_weights``) as ``decoder.h`` reads them: fragments and floats."""
    quads = [_pack_layer(weights, form, i) for i in range(1, len(form.layers))]
    quads.append(_pack_last(weights["last.weight"], form.layers[-1]))
    return np.concatenate([part.reshape(-1) for part in quads]), _floats(weights, form)


def pack_chain(weights: Sequence[Array], form: DecoderForm) -> Array:
    """The products of ``chain.h``: what each further layer's modulation takes from the one before it."""
    shapes = zip(form.layers[1:], form.layers[:-1], strict=True)
    parts = [_by_eights([widened(w, *shape)]) for w, shape in zip(weights, shapes, strict=True)]
    return np.concatenate([part.reshape(-1) for part in parts])


def _pack_layer(weights: Mapping[str, Array], form: DecoderForm, layer: int) -> Array:
    """Onto the sine's argument and, in mode 3, onto the modulation."""
    names = [f"synthesis.{layer}.weight"] + ([f"modulation.{layer}.weight"] if form.shares else [])
    shape = form.layers[layer], form.layers[layer - 1]
    return _by_eights([widened(weights[name], *shape) for name in names])


def _by_eights(matrices: Sequence[Array]) -> Array:
    """``units x inputs`` matrices by 8 units, by 16 inputs, by lane: the registers of one after the other.

    Inputs are taken in ``unit_order`` too: they are the sums of the layer before, where they lie.
    """
    units, inputs = matrices[0].shape
    order = np.ix_(unit_order(inputs), unit_order(units))
    ordered = [matrix.astype(np.float16).T[order] for matrix in matrices]
    return np.stack(
        [
            np.concatenate([fragments(matrix[:, i : i + COLUMNS]) for matrix in ordered], axis=2)
            for i in range(0, units, COLUMNS)
        ]
    )


def _pack_last(weight: Array, width: int) -> Array:
    """Three columns of eight; two steps of 16 inputs share a lane's 16 bytes."""
    steps = fragments(widened(weight, COLUMNS, width).astype(np.float16).T[unit_order(width)])
    even = widened(steps, len(steps) + len(steps) % 2, LANES, 4)
    return np.concatenate([even[0::2], even[1::2]], axis=2)


def _floats(weights: Mapping[str, Array], form: DecoderForm) -> Array:
    first, count = form.layers[0], len(form.layers)
    position = widened(weights["synthesis.0.weight"], first, 3)
    biases = [widened(weights[f"synthesis.{i}.bias"], form.layers[i]) for i in range(count)]
    last = widened(weights["last.bias"], 4)
    return np.concatenate([*position.T, *biases, last]).astype(np.float32)
