"""What LIIF's and Meta-SR's split forms share: linear layers as convolutions, terms of single positions."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from edge_sr.export.split.diinn import channelwise, planes
from edge_sr.models.implicit.diinn import normalised


class ContentEncoder(nn.Module):
    """``image``, float32 in [0, 1], through the features and one 3 x 3 convolution to maps, in ``dtype``."""

    def __init__(self, features: nn.Module, content: nn.Conv2d, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.encoder = copy.deepcopy(features).to(dtype)
        self.content = content.to(dtype)

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.content(self.encoder(normalised(planes(image)).to(self.dtype)))
        return result


class PositionalTerm(nn.Module):
    """A linear layer on ``[y; x; height; width]``, float32: a term for each row, one for each column, one for all.

    ``height`` and ``width`` are the cell's. Products of single values, so that no calibration takes it for a layer.
    """

    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """``weight`` ``outputs x 4``, ``bias`` ``outputs``."""
        super().__init__()
        for i in range(4):
            self.register_buffer(f"by_{i}", channelwise(weight[:, i]))
        self.register_buffer("bias", channelwise(bias))

    def forward(self, y: Tensor, x: Tensor, cell: Tensor) -> Tensor:
        values = (y, x, cell[:, :1], cell[:, 1:])
        row, column, *shared = (value * self.get_buffer(f"by_{i}") for i, value in enumerate(values))
        return (row + (shared[0] + shared[1] + self.bias)) + column


def conv1(layer: nn.Linear) -> nn.Conv2d:
    """A linear layer over channels as a 1 x 1 convolution."""
    conv = nn.Conv2d(layer.in_features, layer.out_features, 1)
    conv.weight.data = layer.weight.detach()[:, :, None, None].clone()
    conv.bias = nn.Parameter(layer.bias.detach().clone())
    return conv
