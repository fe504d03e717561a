"""What the kernels should compute, in numpy; ``stored`` rounds whatever they keep as float16."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.grid import SamplingGrid

Array = NDArray[Any]
Rounding = Callable[[Array], Array]


def half(values: Array) -> Array:
    """Rounded to float16, as float32."""
    return np.asarray(values, np.float32).astype(np.float16).astype(np.float32)


def full(values: Array) -> Array:
    return np.asarray(values, np.float32)


def convolve(x: Array, weight: Array, bias: Array, stored: Rounding) -> Array:
    """3 x 3, zero-padded: ``h x w x inputs`` to ``h x w x outputs``, sums in float32."""
    height, width, _ = x.shape
    around, rounded = np.pad(x, ((1, 1), (1, 1), (0, 0))), stored(weight)
    result = np.broadcast_to(bias, (height, width, len(bias))).astype(np.float32)
    for dy in range(3):
        for dx in range(3):
            result += around[dy : dy + height, dx : dx + width] @ rounded[:, :, dy, dx].T
    return result


def levels_of(values: Array, scale: float, *, relu: bool = False) -> Array:
    """Int8 levels as the kernels round them: values times one over the scale, in float32."""
    inverse = np.float32(1 / scale)
    kept = np.maximum(values, np.float32(0)) if relu else np.asarray(values, np.float32)
    return np.clip(np.rint(kept * inverse), -128, 127).astype(np.int8)


def convolve_levels(levels: Array, weight: Array, scale: Array, bias: Array) -> Array:
    """The same of int8 levels: sums in integers, then one fused multiplication and addition in float32."""
    height, width, _ = levels.shape
    around = np.pad(levels.astype(np.int64), ((1, 1), (1, 1), (0, 0)))
    sums = sum(
        around[dy : dy + height, dx : dx + width] @ weight[:, :, dy, dx].T.astype(np.int64)
        for dy in range(3)
        for dx in range(3)
    )
    # Exact in extended precision but for the last rounding, as a fused operation is.
    fused = np.asarray(sums, np.longdouble) * scale.astype(np.longdouble) + bias.astype(np.longdouble)
    return fused.astype(np.float32)


def encode(tensors: Mapping[str, Array], mode: int, image: Array, stored: Rounding) -> Array:
    """``h x w x 3``, uint8 or float32 in [0, 1], to the maps, ``h x w x sum(widths)``."""

    def layer(name: str, x: Array) -> Array:
        bias = np.asarray(tensors[f"{name}.bias"], np.float32)
        if (given := tensors.get(f"{name}.input.scale")) is None:
            return convolve(x, np.asarray(tensors[f"{name}.weight"], np.float32), bias, stored)
        scale = np.asarray(tensors[f"{name}.weight.scale"], np.float32) * np.float32(given)
        levels = levels_of(x, float(given))
        return convolve_levels(levels, tensors[f"{name}.weight.levels"], scale, bias)

    levels = image.astype(np.float32) * np.float32(255 if image.dtype == np.float32 else 1)
    first = y = stored(layer("encoder.head", stored(levels * np.float32(2 / 255) - 1)))
    block = 0
    while f"encoder.body.{block}.conv1.bias" in tensors:
        middle = np.maximum(layer(f"encoder.body.{block}.conv1", y), 0)
        # Levels are made of the sums themselves.
        middle = middle if f"encoder.body.{block}.conv2.input.scale" in tensors else stored(middle)
        y = stored(layer(f"encoder.body.{block}.conv2", middle) + y)
        block += 1
    features = layer("encoder.tail", y) + first
    features = features if "content.0.input.scale" in tensors else stored(features)
    return modulate(tensors, mode, features, layer, stored)


def modulate(
    tensors: Mapping[str, Array], mode: int, features: Array, layer: Callable[..., Array], stored: Rounding
) -> Array:
    k = [stored(np.maximum(layer("content.0", features), 0))]
    if mode == 3:
        rest = "content.1.bias" in tensors
        return np.concatenate([*k, *([stored(layer("content.1", features))] if rest else [])], axis=2)
    while (name := f"chained.{len(k) - 1}") + ".weight" in tensors:
        chain = np.asarray(tensors[f"{name}.weight"], np.float32)[..., 0, 0]
        bias = (
            np.asarray(tensors[f"{name}.bias"], np.float32) if mode == 1 else np.zeros(len(chain), np.float32)
        )
        content = stored(bias) if mode == 1 else stored(layer(f"content.{len(k)}", features))
        k.append(stored(np.maximum(content + k[-1] @ stored(chain).T, 0)))
    return np.concatenate(k, axis=2)


def decode(
    weights: Mapping[str, Array],
    mode: int,
    maps: Array,
    image: Array | None,
    grid: SamplingGrid,
    stored: Rounding,
) -> Array:
    """Maps to the grid's pixels, ``Ht x Wt x 3`` in 255ths, neither rounded nor clipped; ``image`` for the base."""
    content = maps[grid.rows][:, grid.cols]
    offset_y, offset_x = grid.offset_y.reshape(-1, 1), grid.offset_x.reshape(1, -1)
    position = np.stack(np.broadcast_arrays(offset_y, offset_x, np.float32(grid.ratio).reshape(())), axis=2)
    at, layer, q = 0, 0, np.empty(0)
    while f"synthesis.{layer}.weight" in weights:
        width = len(weights[f"synthesis.{layer}.bias"])
        share, weight = content[..., at : at + width], weights[f"synthesis.{layer}.weight"]
        wave = position @ weight.T if layer == 0 else q @ stored(weight).T
        if f"modulation.{layer}.weight" in weights and mode == 3:
            share = np.maximum(share + q @ stored(weights[f"modulation.{layer}.weight"]).T, 0)
        q = stored(share * np.sin(wave + weights[f"synthesis.{layer}.bias"]))
        at, layer = at + width, layer + 1
    result = q @ stored(weights["last.weight"]).T + weights["last.bias"]
    return result * np.float32(127.5) + (np.float32(127.5) if image is None else _base(image, grid))


def _base(image: Array, grid: SamplingGrid) -> Array:
    """The bilinear picture under the grid, in 255ths."""
    levels = image.astype(np.float32) * np.float32(255 if image.dtype == np.float32 else 1)
    height, width = image.shape[:2]
    offset_y, offset_x = grid.offset_y.reshape(-1), grid.offset_x.reshape(-1)
    rows = np.clip(grid.rows + np.where(offset_y < 0, -1, 1), 0, height - 1)
    cols = np.clip(grid.cols + np.where(offset_x < 0, -1, 1), 0, width - 1)
    share_y, share_x = np.abs(offset_y)[:, None, None] / 2, np.abs(offset_x)[None, :, None] / 2
    near, far = levels[grid.rows], levels[rows]
    lines = near + (far - near) * share_y
    return lines[:, grid.cols] + (lines[:, cols] - lines[:, grid.cols]) * share_x


def levels(picture: Array) -> NDArray[np.uint8]:
    """255ths as the bytes of a picture."""
    rounded: NDArray[np.uint8] = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return rounded
