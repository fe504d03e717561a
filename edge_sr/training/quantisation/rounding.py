"""Layers that round as INT8 does while they learn; gradients pass straight through."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_sr.calibration.ranges.levels import Scale, weight_levels, weight_scales


class Rounding(nn.Module):
    """What one layer's input and weights are rounded by, on channels that equalisation has enlarged.

    ``enlarged``: the factors of the input's channels, and of the result's.
    """

    read: Tensor
    made: Tensor

    def __init__(self, scale: Scale, enlarged: tuple[Tensor, Tensor]) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("read", enlarged[0].view(1, -1, 1, 1), persistent=False)
        self.register_buffer("made", enlarged[1].view(-1, 1, 1, 1), persistent=False)

    def values(self, values: Tensor) -> Tensor:
        """``n x C x h x w`` on the levels of the input; beyond its range no gradient passes."""
        limits, zero = np.iinfo(self.scale.dtype), self.scale.zero
        levels = values * self.read / self.scale.scale
        levels = levels.clamp(int(limits.min) - zero, int(limits.max) - zero)
        return _straight(levels, levels.round()) * self.scale.scale / self.read

    def weights(self, weight: Tensor) -> Tensor:
        """``out x C x 3 x 3`` on the levels that the graph stores."""
        enlarged = (weight * self.made / self.read).detach().cpu().numpy()
        scales = weight_scales(enlarged)
        rounded = weight_levels(enlarged, scales) * scales.reshape(-1, 1, 1, 1)
        return _straight(weight, torch.from_numpy(rounded).to(weight) * self.read / self.made)


def _straight(values: Tensor, rounded: Tensor) -> Tensor:
    return values + (rounded - values).detach()


class RoundedConvolution(nn.Conv2d):
    """A layer that rounds as INT8 does, under the keys and with the parameters of the plain one."""

    def __init__(self, plain: nn.Conv2d, rounding: Rounding) -> None:
        size, padding = (cast("tuple[int, int]", pair) for pair in (plain.kernel_size, plain.padding))
        super().__init__(plain.in_channels, plain.out_channels, size, padding=padding)
        self.weight, self.bias = plain.weight, plain.bias
        self.rounding = rounding

    def forward(self, values: Tensor) -> Tensor:
        return self._convolve(values, self.weight)

    def content(self, features: Tensor) -> Tensor:
        """For a modulation layer: its content term at LR, the last inputs as a 3 x 3 convolution."""
        channels = features.shape[1]
        return self._convolve(features, self.weight[:, -9 * channels :].reshape(-1, channels, 3, 3))

    def _convolve(self, values: Tensor, weight: Tensor) -> Tensor:
        padding = weight.shape[-1] // 2
        return functional.conv2d(
            self.rounding.values(values), self.rounding.weights(weight), self.bias, padding=padding
        )
