"""What training minimises."""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (65.481 / 219, 128.553 / 219, 24.966 / 219)
# Keeps flat patches, whose error is almost nothing, from outweighing all others: about 47 dB. With 40 dB networks
# learnt less at every scale.
FLOOR = 2e-5


def l1(picture: Tensor, target: Tensor, luma_share: float, weights: Tensor) -> Tensor:
    """Mean absolute error of ``... x 3`` in [0, 1], ``luma_share`` of it taken on luma.

    ``weights``, broadcast to the same shape less the last axis, are 1 on average.
    """
    error = (picture - target) * weights.unsqueeze(-1)
    colour = error.abs().mean()
    return torch.lerp(colour, _luma(error).abs().mean(), luma_share) if luma_share else colour


def psnr(picture: Tensor, target: Tensor, luma_share: float, weights: Tensor) -> Tensor:
    """Mean logarithm of each patch's squared error, ``n x ... x 3``, weighted as in ``l1``: half a neper is 4.34 dB."""
    error = ((picture - target) * weights.unsqueeze(-1).sqrt()).flatten(1, -2)
    colour = error.square().mean((1, 2))
    mixed = torch.lerp(colour, _luma(error).square().mean(1), luma_share)
    return 0.05 * torch.log(mixed + FLOOR).mean()


def noise_gain(picture: Tensor, shaken: Tensor, noise: Tensor) -> Tensor:
    """How many times larger than ``noise`` is what it changes: above 1, noise that a film brings flickers more."""
    return (shaken - picture).abs().mean() / noise.abs().mean()


def _luma(error: Tensor) -> Tensor:
    red, green, blue = error.unbind(-1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
