"""LIIF in its paper's own form (Chen, Liu and Wang, CVPR 2021, arXiv 2012.09161): the reference.

Four LR pixels around an output's centre predict it, each from its unfolded features, the offset to it and the
output pixel's size (local ensemble, feature unfolding, cell decoding); the prediction of the nearer one weighs more.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_sr.errors import CheckpointError
from edge_sr.grid import SamplingGrid, neighbours, offsets_to
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

POSITIONAL_INPUTS = 4
SIDES = (-1, 1)
# The authors' guard against a sum of weights that is 0.
LEAST_WEIGHT = 1e-9


@dataclasses.dataclass(frozen=True)
class LiifOptions:
    """The encoder, and the widths of the hidden layers; the paper's by default."""

    encoder: EncoderSpec
    widths: tuple[int, ...] = (256, 256, 256, 256)


class NeighbourAxis(NamedTuple):
    """Neighbours along one axis, by side: LR indices, int64, and float offsets that broadcast to the output."""

    places: tuple[Tensor, Tensor]
    offset: tuple[Tensor, Tensor]


class LocalEnsemble(NamedTuple):
    """Four neighbours of every output pixel, as two along each axis, and ``cell``, ``1 x 2 x 1 x 1``."""

    y: NeighbourAxis
    x: NeighbourAxis
    cell: Tensor

    @classmethod
    def from_grid(cls, grid: SamplingGrid, like: Tensor) -> LocalEnsemble:
        """The grid's, on the device and in the float type of ``like``."""
        (width, height), (wide, tall), (row, col) = grid.input_size, grid.output_size, grid.origin
        y = _axis(grid.ys, (height, tall), row, (1, 1, -1, 1), like)
        x = _axis(grid.xs, (width, wide), col, (1, 1, 1, -1), like)
        return cls(y, x, torch.from_numpy(grid.cell).to(like))


def _axis(
    outputs: NDArray[np.int64], lengths: tuple[int, int], origin: int, shape: tuple[int, ...], like: Tensor
) -> NeighbourAxis:
    index = [neighbours(outputs, *lengths, side) for side in SIDES]
    offset = [torch.from_numpy(offsets_to(rows, outputs, *lengths)).reshape(shape).to(like) for rows in index]
    places = [torch.from_numpy(rows - origin).to(like.device) for rows in index]
    return NeighbourAxis((places[0], places[1]), (offset[0], offset[1]))


class Liif(ImplicitNetwork):
    """The whole network."""

    def __init__(self, options: LiifOptions) -> None:
        super().__init__(options.encoder)
        self.options = options
        self.imnet = PointNetwork(9 * options.encoder.channels + POSITIONAL_INPUTS, options.widths, 3)

    def decode(self, features: Tensor, grid: SamplingGrid) -> Tensor:
        content, positions = unfolded(features), LocalEnsemble.from_grid(grid, features)
        predictions, areas = [], []
        for a, b in itertools.product((0, 1), (0, 1)):
            predictions.append(self._predicted(content, positions, a, b))
            areas.append((positions.y.offset[a] * positions.x.offset[b]).abs() + LEAST_WEIGHT)
        total = torch.stack(areas).sum(0)
        # Each neighbour weighs as the area of the rectangle to the opposite one.
        weighted = [p * (area / total) for p, area in zip(predictions, reversed(areas), strict=True)]
        return 0.5 * torch.stack(weighted).sum(0) + 0.5

    def _predicted(self, content: Tensor, positions: LocalEnsemble, a: int, b: int) -> Tensor:
        near = content[:, positions.y.places[a]][:, :, positions.x.places[b]]
        parts = (positions.y.offset[a], positions.x.offset[b], positions.cell)
        place = stacked(near.shape[1], near.shape[2], parts).expand(len(near), -1, -1, -1)
        result: Tensor = self.imnet(torch.cat((near, place), -1))
        return result.permute(0, 3, 1, 2)


def recognise(tensors: Tensors) -> Recognised | None:
    """The authors' layout, ``encoder`` and ``imnet.layers.{0,2,4,...}`` with three outputs."""
    shapes = list(layer_shapes(tensors))
    if not shapes or shapes[-1][0] != 3:
        return None
    encoder = encoder_of(tensors)
    inputs = 9 * encoder.channels + POSITIONAL_INPUTS
    if shapes[0][1] != inputs:
        raise CheckpointError(
            f"tensor imnet.layers.0.weight: expected {inputs} inputs (unfolded features, offset and cell), "
            f"found {shapes[0][1]}; LIIF without feature unfolding or cell decoding is not taken"
        )
    return LiifOptions(encoder, tuple(one[0] for one in shapes[:-1])), without_unused(tensors)


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Raise ``CheckpointError`` for what the authors' files say of a network, and its tensors do not, if it differs."""
    for key in ("local_ensemble", "feat_unfold", "cell_decode"):
        if arguments.get(key, True) is not True:
            raise CheckpointError(f"the checkpoint states {key} {arguments[key]}; only LIIF with it is taken")
    encoder = arguments.get("encoder_spec", {}).get("name", "rdn")
    if encoder not in ("rdn", "edsr-baseline"):
        raise CheckpointError(f"expected an encoder rdn or edsr-baseline, found {encoder!r}")


FAMILY = Family("implicit", LiifOptions, Liif, recognise)
