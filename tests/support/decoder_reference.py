"""The split decoder in float64 numpy, written from the formulas, to hold the native kernels against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A decoder with random weights and one call's arguments."""

    mode: int
    widths: tuple[int, ...]
    weights: dict[str, Array]
    maps: Array
    image: Array | None
    rows: Array
    cols: Array
    offset_y: Array
    offset_x: Array
    ratio: Array

    @property
    def arguments(self) -> tuple[Array | None, ...]:
        return (self.maps, self.image, self.rows, self.cols, self.offset_y, self.offset_x, self.ratio)


def axis(length: int, output: int) -> tuple[Array, Array]:
    """Nearest LR index and offset in half LR pixels of every output index."""
    centre = 2 * np.arange(output) + 1
    nearest = (centre * length) // (2 * output)
    offset = (centre / output - (2 * nearest + 1) / length) * length
    return nearest.astype(np.int32), offset.astype(np.float32)


def random_weights(random: np.random.Generator, widths: tuple[int, ...], mode: int) -> dict[str, Array]:
    inputs = (3, *widths)
    weights: dict[str, Array] = {"last.weight": random.normal(size=(3, widths[-1])) / widths[-1] ** 0.5}
    weights["last.bias"] = random.normal(size=3) * 0.1
    for i, width in enumerate(widths):
        weights[f"synthesis.{i}.weight"] = random.normal(size=(width, inputs[i])) * 2 / inputs[i] ** 0.5
        weights[f"synthesis.{i}.bias"] = random.normal(size=width)
        if mode == 3 and i > 0:
            weights[f"modulation.{i}.weight"] = random.normal(size=(width, inputs[i])) / inputs[i] ** 0.5
    return {name: value.astype(np.float32) for name, value in weights.items()}


def random_case(
    seed: int,
    mode: int = 3,
    widths: tuple[int, ...] = (32, 32, 32),
    lr: tuple[int, int] = (9, 21),
    output: tuple[int, int] = (20, 50),
    base: bool = True,
    dtype: Any = np.float32,
) -> Case:
    random = np.random.default_rng(seed)
    maps = random.normal(size=(1, sum(widths), *lr)).astype(np.float32)
    settled = widths[0] if mode == 3 else sum(widths)
    maps[:, :settled] = np.maximum(maps[:, :settled], 0)
    image = random.integers(0, 256, size=(1, *lr, 3)).astype(np.uint8)
    picture = image if dtype == np.uint8 else image.astype(np.float32) / np.float32(255)
    rows, offset_y = axis(lr[0], output[0])
    cols, offset_x = axis(lr[1], output[1])
    ratio = np.full((1, 1, 1, 1), lr[0] * lr[1] / (output[0] * output[1]), np.float32)
    weights = random_weights(random, widths, mode)
    positions = offset_y.reshape(1, 1, -1, 1), offset_x.reshape(1, 1, 1, -1)
    return Case(mode, widths, weights, maps, picture if base else None, rows, cols, *positions, ratio)


def _bilinear(case: Case, image: Array) -> Array:
    scaled = image.astype(np.float64) / (255 if image.dtype == np.uint8 else 1)
    x = ((scaled - 0.5) / 0.5)[0]
    for along, nearest, offset in ((0, case.rows, case.offset_y), (1, case.cols, case.offset_x)):
        o = offset.reshape(-1).astype(np.float64)
        other = np.clip(nearest + np.sign(o).astype(int), 0, x.shape[along] - 1)
        share = (np.abs(o) / 2).reshape((-1, 1, 1) if along == 0 else (1, -1, 1))
        x = np.take(x, nearest, along) * (1 - share) + np.take(x, other, along) * share
    return x


def _product(weight: Array, q: Array) -> Array:
    return np.tensordot(weight.astype(np.float64), q, axes=1)


def decode(case: Case) -> Array:
    """The picture before rounding: float64, ``Ht x Wt x 3``, clipped to [0, 1]."""
    maps = case.maps[0].astype(np.float64)[:, case.rows][:, :, case.cols]
    full = np.broadcast_arrays(case.offset_y[0, 0], case.offset_x[0, 0], case.ratio[0, 0])
    q = np.stack(full).astype(np.float64)
    first = 0
    for i, width in enumerate(case.widths):
        k = maps[first : first + width]
        if case.mode == 3 and i > 0:
            k = np.maximum(k + _product(case.weights[f"modulation.{i}.weight"], q), 0)
        bias = case.weights[f"synthesis.{i}.bias"].astype(np.float64)[:, None, None]
        q = k * np.sin(_product(case.weights[f"synthesis.{i}.weight"], q) + bias)
        first += width
    y = _product(case.weights["last.weight"], q) + case.weights["last.bias"].astype(np.float64)[:, None, None]
    picture = y.transpose(1, 2, 0)
    if case.image is not None:
        picture = picture + _bilinear(case, case.image)
    return np.clip(0.5 * picture + 0.5, 0, 1)
