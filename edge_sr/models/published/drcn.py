"""DRCN (Kim et al., CVPR 2016, arXiv 1511.04491): one convolution again and again, every depth's result weighed."""

from __future__ import annotations

import dataclasses
import functools

import torch
from torch import Tensor, nn

from edge_sr.models.encoders import conv3
from edge_sr.models.published.family import Family, Recognised, Tensors, shape


@dataclasses.dataclass(frozen=True)
class DrcnOptions:
    """How often the shared convolution is applied, and its channels; the paper's 16 of 256 by default."""

    recursions: int = 16
    width: int = 256


class Drcn(nn.Module):
    """Luma ``n x 1 x H x W`` to luma. The keys are the project's own: no PyTorch layout of it is well known.

    ``embedding.{0,2}``, ``recursion``, ``reconstruction.{0,2}``, and ``weights``, one for each recursion.
    """

    def __init__(self, options: DrcnOptions) -> None:
        super().__init__()
        width = options.width
        self.embedding = nn.Sequential(conv3(1, width), nn.ReLU(), conv3(width, width), nn.ReLU())
        self.recursion = conv3(width, width)
        self.reconstruction = nn.Sequential(conv3(width, width), nn.ReLU(), conv3(width, 1))
        self.weights = nn.Parameter(torch.full((options.recursions,), 1 / options.recursions))

    def forward(self, luma: Tensor) -> Tensor:
        y: Tensor = self.embedding(luma)
        results = []
        for weight in self.weights.unbind():
            y = torch.relu(self.recursion(y))
            results.append(weight * (luma + self.reconstruction(y)))
        result: Tensor = functools.reduce(torch.add, results)
        return result


def recognise(tensors: Tensors) -> Recognised | None:
    """``recursion`` beside ``weights``; the number of weights is that of the recursions."""
    if "recursion.weight" not in tensors:
        return None
    return DrcnOptions(shape(tensors, "weights")[0], shape(tensors, "recursion.weight")[0]), dict(tensors)


FAMILY = Family("refine", DrcnOptions, Drcn, recognise, channels=1)
