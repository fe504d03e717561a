"""SRCNN (Dong et al., ECCV 2014, arXiv 1501.00092): three convolutions over an enlarged picture's luma."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from edge_sr.models.published.family import Family, Recognised, Tensors, shape


@dataclasses.dataclass(frozen=True)
class SrcnnOptions:
    """Channels of the two hidden layers and the three kernel sizes; the paper's 9-1-5 by default."""

    widths: tuple[int, int] = (64, 32)
    kernels: tuple[int, int, int] = (9, 1, 5)


class Srcnn(nn.Module):
    """Luma ``n x 1 x H x W`` to luma, under the keys ``conv1`` to ``conv3``."""

    def __init__(self, options: SrcnnOptions) -> None:
        super().__init__()
        (first, second), (a, b, c) = options.widths, options.kernels
        self.conv1 = nn.Conv2d(1, first, a, padding=a // 2)
        self.conv2 = nn.Conv2d(first, second, b, padding=b // 2)
        self.conv3 = nn.Conv2d(second, 1, c, padding=c // 2)

    def forward(self, luma: Tensor) -> Tensor:
        result: Tensor = self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(luma)))))
        return result


def recognise(tensors: Tensors) -> Recognised | None:
    """``conv1`` to ``conv3`` and nothing else, as most PyTorch versions have it."""
    names = {key.split(".")[0] for key in tensors}
    if names != {"conv1", "conv2", "conv3"} or shape(tensors, "conv1.weight")[1] != 1:
        return None
    shapes = [shape(tensors, f"conv{i}.weight") for i in (1, 2, 3)]
    options = SrcnnOptions((shapes[0][0], shapes[1][0]), (shapes[0][2], shapes[1][2], shapes[2][2]))
    return options, dict(tensors)


FAMILY = Family("refine", SrcnnOptions, Srcnn, recognise, channels=1)
