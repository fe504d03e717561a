"""VDSR (Kim et al., CVPR 2016, arXiv 1511.04587): a deep stack of convolutions finds what enlargement lost."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from edge_sr.models.published.family import Family, Recognised, Tensors, count, shape


@dataclasses.dataclass(frozen=True)
class VdsrOptions:
    """Convolutions in all and their channels; the paper's 20 of 64 by default."""

    layers: int = 20
    width: int = 64


class MiddleLayer(nn.Module):
    """One of the middle convolutions, under the key ``conv``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, y: Tensor) -> Tensor:
        return torch.relu(self.conv(y))


class Vdsr(nn.Module):
    """Luma ``n x 1 x H x W`` to luma, under the keys ``input``, ``residual_layer.{i}.conv``, ``output``."""

    def __init__(self, options: VdsrOptions) -> None:
        super().__init__()
        width = options.width
        self.input = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.residual_layer = nn.Sequential(*(MiddleLayer(width) for _ in range(options.layers - 2)))
        self.output = nn.Conv2d(width, 1, 3, padding=1, bias=False)

    def forward(self, luma: Tensor) -> Tensor:
        residual: Tensor = self.output(self.residual_layer(torch.relu(self.input(luma))))
        return luma + residual


def recognise(tensors: Tensors) -> Recognised | None:
    """The layout of the best-known PyTorch version, which has no biases."""
    if "residual_layer.0.conv.weight" not in tensors:
        return None
    layers = count(tensors, r"residual_layer\.(\d+)\.") + 2
    return VdsrOptions(layers, shape(tensors, "input.weight")[0]), dict(tensors)


FAMILY = Family("refine", VdsrOptions, Vdsr, recognise, channels=1)
