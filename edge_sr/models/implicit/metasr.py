"""Meta-SR in its paper's own form (Hu et al., CVPR 2019, arXiv 1903.00875): the reference.

A small network predicts, for every output pixel, the weights of the last layer: a 3 x 3 convolution of the features
at the LR pixel that holds the output's upper left corner.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import torch
from torch import Tensor

from edge_sr.grid import SamplingGrid
from edge_sr.models.implicit.points import (
    ImplicitNetwork,
    PointNetwork,
    encoder_of,
    layer_shapes,
    stacked,
    unfolded,
    without_unused,
)
from edge_sr.models.published.family import Family, Recognised, Tensors
from edge_sr.spec import EncoderSpec

POSITIONAL_INPUTS = 3


@dataclasses.dataclass(frozen=True)
class MetaSrOptions:
    """The encoder, and the widths of the weight prediction's hidden layers; the paper's by default."""

    encoder: EncoderSpec
    widths: tuple[int, ...] = (256,)


class Corners(NamedTuple):
    """``rows`` int64 ``Ht``, ``cols`` int64 ``Wt``; float maps that broadcast to ``1 x c x Ht x Wt``."""

    rows: Tensor
    cols: Tensor
    y: Tensor
    x: Tensor
    cell: Tensor

    @classmethod
    def from_grid(cls, grid: SamplingGrid, like: Tensor) -> Corners:
        """The grid's, on the device and in the float type of ``like``."""
        index = [
            torch.from_numpy(a).to(like.device, torch.int64) for a in (grid.corner_rows, grid.corner_cols)
        ]
        maps = [torch.from_numpy(a).to(like) for a in (grid.corner_y, grid.corner_x, grid.cell)]
        return cls(*index, *maps)


class MetaSr(ImplicitNetwork):
    """The whole network."""

    def __init__(self, options: MetaSrOptions) -> None:
        super().__init__(options.encoder)
        self.options = options
        self.imnet = PointNetwork(POSITIONAL_INPUTS, options.widths, 3 * 9 * options.encoder.channels)

    def decode(self, features: Tensor, grid: SamplingGrid) -> Tensor:
        positions = Corners.from_grid(grid, features)
        content = unfolded(features)[:, positions.rows][:, :, positions.cols]
        height, width, channels = content.shape[1:]
        # The third input is half the cell's height: h / H.
        place = stacked(height, width, (positions.y, positions.x, positions.cell[:, :1] / 2))
        weights = self.imnet(place).reshape(1, height, width, channels, 3)
        result: Tensor = (content.unsqueeze(-2) @ weights).squeeze(-2)
        return 0.5 * result.permute(0, 3, 1, 2) + 0.5


def recognise(tensors: Tensors) -> Recognised | None:
    """``encoder`` and ``imnet.layers.{0,2}``, whose outputs are the weights of a 3 x 3 convolution to RGB."""
    shapes = list(layer_shapes(tensors))
    if not shapes or shapes[0][1] != POSITIONAL_INPUTS:
        return None
    return MetaSrOptions(encoder_of(tensors), tuple(one[0] for one in shapes[:-1])), without_unused(tensors)


FAMILY = Family("implicit", MetaSrOptions, MetaSr, recognise)
