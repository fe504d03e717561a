"""Enlargement by sub-pixel convolutions: a convolution makes the pixels of one step, a shuffle puts them in place."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import nn

from edge_sr.errors import ConfigError
from edge_sr.models.encoders import conv3
from edge_sr.models.published.family import Tensors, shape


def subpixel_layers(inputs: int, channels: int, scale: int) -> list[nn.Module]:
    """Convolutions and shuffles in turn, from ``inputs`` channels to ``channels``, ``scale`` times as large."""
    layers: list[nn.Module] = []
    for step in _steps(scale):
        layers += [conv3(inputs, channels * step**2), nn.PixelShuffle(step)]
        inputs = channels
    return layers


def subpixel_scale(tensors: Tensors, keys: Iterable[str], channels: int) -> int:
    """The scale of the convolutions under ``keys``, each of which leaves ``channels`` after its shuffle."""
    return math.prod(math.isqrt(shape(tensors, key)[0] // channels) for key in keys)


def _steps(scale: int) -> list[int]:
    """Twice at a time, or three times at once."""
    if scale == 3:
        return [3]
    if scale < 2 or scale & (scale - 1):
        raise ConfigError(f"scale must be 3 or a power of 2, found {scale}")
    return [2] * (scale.bit_length() - 1)
