"""What LIIF and Meta-SR share: a network of points, and the features that it reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from edge_sr.grid import SamplingGrid, sampling_grid
from edge_sr.models.encoders import build_encoder
from edge_sr.models.implicit.diinn import normalised
from edge_sr.models.infer import infer_encoder
from edge_sr.models.published.family import Tensors, count, shape
from edge_sr.spec import EncoderSpec

# Constants of EDSR's mean shift that LIIF's files carry and its encoder never applies.
UNUSED = ("encoder.sub_mean.", "encoder.add_mean.")


class ImplicitNetwork(nn.Module):
    """A picture in [0, 1] to a picture of any size, values around [0, 1], unclipped."""

    halo = 0

    def __init__(self, encoder: EncoderSpec) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder)

    def encode(self, picture: Tensor) -> Tensor:
        """Features ``n x C x h x w`` of ``n x 3 x h x w`` in [0, 1]."""
        features: Tensor = self.encoder(normalised(picture))
        return features

    @abstractmethod
    def decode(self, features: Tensor, grid: SamplingGrid) -> Tensor:
        """The pixels of ``grid``, ``n x 3 x Ht x Wt``."""

    def forward(self, picture: Tensor, size: Sequence[int]) -> Tensor:
        """``n x 3 x h x w`` to ``n x 3 x H x W`` for ``size`` = ``(H, W)``."""
        height, width = picture.shape[2:]
        return self.decode(self.encode(picture), sampling_grid((width, height), (size[1], size[0])))


class PointNetwork(nn.Module):
    """Linear layers with ReLU between them, under the keys ``layers.{0,2,4,...}``: ``... x inputs`` in."""

    def __init__(self, inputs: int, widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        hidden = [part for pair in pairwise([inputs, *widths]) for part in (nn.Linear(*pair), nn.ReLU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(widths[-1], outputs))

    def forward(self, points: Tensor) -> Tensor:
        result: Tensor = self.layers(points)
        return result

    def linear(self) -> list[nn.Linear]:
        """The layers without their activations."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]


def unfolded(features: Tensor) -> Tensor:
    """``n x C x h x w`` to ``n x h x w x 9C``, channel ``c * 9 + 3 * dy + dx``, zeros beyond the border."""
    content = functional.unfold(features, 3, padding=1)
    return content.reshape(*content.shape[:2], *features.shape[2:]).permute(0, 2, 3, 1)


def stacked(height: int, width: int, parts: Sequence[Tensor]) -> Tensor:
    """Maps that broadcast to ``1 x c x height x width`` as points, ``1 x height x width x sum(c)``."""
    return torch.cat([part.expand(1, -1, height, width) for part in parts], 1).permute(0, 2, 3, 1)


def encoder_of(tensors: Tensors) -> EncoderSpec:
    """The encoder that the names and shapes make; ``CheckpointError`` when they make none."""
    return infer_encoder({key: tuple(tensor.shape) for key, tensor in tensors.items()})


def layer_shapes(tensors: Tensors) -> Iterator[tuple[int, ...]]:
    """The shapes of the point network's weights, ``outputs x inputs``; none where it is missing."""
    layers = count(tensors, r"imnet\.layers\.(\d+)\.weight")
    return (shape(tensors, f"imnet.layers.{i}.weight") for i in range(0, layers, 2))


def without_unused(tensors: Tensors) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in tensors.items() if not key.startswith(UNUSED)}
