"""DIINN in its paper's own form (Nguyen and Beksi, WACV 2023, arXiv 2210.12593): the reference.

Every output pixel unfolds its LR neighbourhood and goes through all layers. It is what exports are held
against, and what training differentiates; the fast split form lies in ``edge_sr.export``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from edge_sr.grid import SamplingGrid, sampling_grid
from edge_sr.models.encoders import build_encoder
from edge_sr.spec import DecoderSpec, NetworkSpec

POSITIONAL_INPUTS = 3


class Positions(NamedTuple):
    """Positional inputs as tensors: ``rows`` int64 ``Ht``, ``cols`` int64 ``Wt``, and float maps that broadcast to
    ``1 x 1 x Ht x Wt``."""

    rows: Tensor
    cols: Tensor
    offset_y: Tensor
    offset_x: Tensor
    ratio: Tensor

    @classmethod
    def from_grid(cls, grid: SamplingGrid, like: Tensor) -> Positions:
        """The grid on the device and in the float type of ``like``."""
        index = [torch.from_numpy(array).to(like.device, torch.int64) for array in (grid.rows, grid.cols)]
        maps = [torch.from_numpy(array).to(like) for array in (grid.offset_y, grid.offset_x, grid.ratio)]
        return cls(*index, *maps)

    def stacked(self) -> Tensor:
        """``1 x 3 x Ht x Wt``: offset_y, offset_x, cell ratio."""
        size = (1, 1, len(self.rows), len(self.cols))
        return torch.cat([part.expand(size) for part in (self.offset_y, self.offset_x, self.ratio)], 1)


def first_convolutions(layers: nn.ModuleList) -> list[nn.Conv2d]:
    """The 1 x 1 convolutions of ``K`` or ``Q``, without their activations."""
    return [conv for module in layers for conv in module.children() if isinstance(conv, nn.Conv2d)]


def bias_of(conv: nn.Conv2d) -> Tensor:
    """The bias, which every layer of these networks has."""
    assert conv.bias is not None
    return conv.bias


def layer(inputs: int, outputs: int, activation: nn.Module) -> nn.Sequential:
    """A 1 x 1 layer under the authors' keys, ``K.{i}.0`` and ``Q.{i}.0``."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), activation)


class Sine(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


def modulation_inputs(decoder: DecoderSpec, content: int) -> list[int]:
    """Input channels of every modulation layer: content, then what the mode adds."""
    previous = decoder.widths[:-1]
    if decoder.mode == 1:
        return [content, *previous]
    return [content, *(width + content for width in previous)]


class Decoder(nn.Module):
    """The dual interactive implicit decoder, modes 1 to 4, with or without ``init_q``."""

    def __init__(self, spec: DecoderSpec, channels: int) -> None:
        super().__init__()
        self.spec = spec
        content = 9 * channels
        position = content if spec.init_q else POSITIONAL_INPUTS
        if spec.init_q:
            self.first_layer = layer(POSITIONAL_INPUTS, content, Sine())
        widths = spec.widths
        self.K = nn.ModuleList(
            layer(n, d, nn.ReLU()) for n, d in zip(modulation_inputs(spec, content), widths, strict=True)
        )
        self.Q = nn.ModuleList(
            layer(n, d, Sine()) for n, d in zip([position, *widths[:-1]], widths, strict=True)
        )
        self.last_layer = nn.Conv2d(widths[-1], 3, 3 if spec.mode == 4 else 1)

    def forward(self, content: Tensor, position: Tensor) -> Tensor:
        """``content`` ``n x 9C x H x W`` at the output, ``position`` ``n x 3 x H x W``: ``n x 3 x H x W``.

        In mode 4 the last layer is a valid 3 x 3 convolution: both inputs carry one pixel more on each side.
        """
        if self.spec.init_q:
            position = self.first_layer(position)
            content = position * content
        k: Tensor = self.K[0](content)
        q = k * self.Q[0](position)
        for modulation, synthesis in zip(self.K[1:], self.Q[1:], strict=True):
            k = modulation(self._interaction(k, q, content))
            q = k * synthesis(q)
        result: Tensor = self.last_layer(q)
        return result

    def _interaction(self, k: Tensor, q: Tensor, content: Tensor) -> Tensor:
        if self.spec.mode == 1:
            return k
        return torch.cat((k if self.spec.mode == 2 else q, content), 1)


class Diinn(nn.Module):
    """The whole network: a picture in [0, 1] to a picture of any size, values around [0, 1], unclipped."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = build_encoder(spec.encoder)
        self.decoder = Decoder(spec.decoder, spec.encoder.channels)

    @property
    def halo(self) -> int:
        """Output pixels that the last layer needs on each side."""
        return 1 if self.spec.decoder.mode == 4 else 0

    def encode(self, picture: Tensor) -> Tensor:
        """Features ``n x C x h x w`` of ``n x 3 x h x w`` in [0, 1]."""
        features: Tensor = self.encoder(normalised(picture))
        return features

    def decode(self, features: Tensor, picture: Tensor, positions: Positions) -> Tensor:
        """Pixels at ``positions``, ``n x 3 x Ht x Wt`` (less the halo in mode 4)."""
        content = functional.unfold(features, 3, padding=1)
        content = content.reshape(*content.shape[:2], *features.shape[2:])
        content = content[:, :, positions.rows][..., positions.cols]
        residual: Tensor = self.decoder(content, positions.stacked().expand(len(features), -1, -1, -1))
        if self.spec.decoder.bilinear_base:
            residual = residual + bilinear(normalised(picture), without_halo(positions, self.halo))
        return 0.5 * residual + 0.5

    def forward(self, picture: Tensor, size: Sequence[int]) -> Tensor:
        """``n x 3 x h x w`` to ``n x 3 x H x W`` for ``size`` = ``(H, W)``."""
        height, width = picture.shape[2:]
        grid = sampling_grid((width, height), (size[1], size[0]), halo=self.halo)
        return self.decode(self.encode(picture), picture, Positions.from_grid(grid, picture))


def normalised(picture: Tensor) -> Tensor:
    """[0, 1] to [-1, 1], as the checkpoints' buffers ``sub`` and ``div`` do."""
    return (picture - 0.5) / 0.5


def without_halo(positions: Positions, halo: int) -> Positions:
    if not halo:
        return positions
    inner = slice(halo, -halo)
    return Positions(
        positions.rows[inner],
        positions.cols[inner],
        positions.offset_y[:, :, inner],
        positions.offset_x[..., inner],
        positions.ratio,
    )


def bilinear(picture: Tensor, positions: Positions) -> Tensor:
    """Bilinear samples with half-pixel centres and clamped edges, ``n x c x Ht x Wt``, not antialiased."""
    rows = neighbours(positions.rows, positions.offset_y, picture.shape[2])
    cols = neighbours(positions.cols, positions.offset_x, picture.shape[3])
    near, far = picture.index_select(2, positions.rows), picture.index_select(2, rows)
    vertical = near + (far - near) * (positions.offset_y.abs() / 2)
    near, far = vertical.index_select(3, positions.cols), vertical.index_select(3, cols)
    return near + (far - near) * (positions.offset_x.abs() / 2)


def neighbours(index: Tensor, offset: Tensor, length: int) -> Tensor:
    """The LR index on each output's other side, kept inside."""
    return (index + torch.sign(offset).flatten().to(index.dtype)).clamp(0, length - 1)
