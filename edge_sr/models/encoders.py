"""The encoders that DIINN is trained with: a normalised picture in, features at LR out.

All of them keep the size (3 x 3, zero-padded) and take ``1 x 3 x h x w`` in [-1, 1]. Attribute names are the
keys of the checkpoints that people have.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_sr.spec import EncoderSpec


def conv3(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class ResidualBlock(nn.Module):
    """``y + conv2(relu(conv1(y)))``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3(channels, channels)
        self.conv2 = conv3(channels, channels)

    def forward(self, y: Tensor) -> Tensor:
        residual: Tensor = self.conv2(torch.relu(self.conv1(y)))
        return y + residual


class SmallResidualEncoder(nn.Module):
    """The project's own: head, residual blocks, tail, and a skip from the head to the end."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.head = conv3(3, spec.channels)
        self.body = nn.Sequential(*(ResidualBlock(spec.channels) for _ in range(spec.blocks)))
        self.tail = conv3(spec.channels, spec.channels)

    def forward(self, x: Tensor) -> Tensor:
        head: Tensor = self.head(x)
        residual: Tensor = self.tail(self.body(head))
        return head + residual


class EdsrBlock(nn.Module):
    """A residual block under EDSR's keys, ``body.0`` and ``body.2`` (Lim et al., 2017; no residual scaling)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv3(channels, channels), nn.ReLU(), conv3(channels, channels))

    def forward(self, y: Tensor) -> Tensor:
        residual: Tensor = self.body(y)
        return y + residual


class EdsrEncoder(nn.Module):
    """EDSR-baseline without mean shift and tail."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.head = nn.Sequential(conv3(3, spec.channels))
        blocks = [EdsrBlock(spec.channels) for _ in range(spec.blocks)]
        self.body = nn.Sequential(*blocks, conv3(spec.channels, spec.channels))

    def forward(self, x: Tensor) -> Tensor:
        head: Tensor = self.head(x)
        residual: Tensor = self.body(head)
        return head + residual


class DenseLayer(nn.Module):
    """One layer of a dense block: its output is appended to its input's channels."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(conv3(inputs, growth), nn.ReLU())

    def forward(self, y: Tensor) -> Tensor:
        return torch.cat((y, self.conv(y)), 1)


class DenseBlock(nn.Module):
    """A residual dense block: dense layers, a 1 x 1 fusion (``LFF``), a skip (Zhang et al., 2018)."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        width, growth = spec.channels, spec.growth
        self.convs = nn.Sequential(*(DenseLayer(width + i * growth, growth) for i in range(spec.layers)))
        self.LFF = nn.Conv2d(width + spec.layers * growth, width, 1)

    def forward(self, y: Tensor) -> Tensor:
        residual: Tensor = self.LFF(self.convs(y))
        return y + residual


class RdnEncoder(nn.Module):
    """RDN without its upsampling part; configuration B in DIINN's paper."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        width = spec.channels
        self.SFENet1 = conv3(3, width)
        self.SFENet2 = conv3(width, width)
        self.RDBs = nn.ModuleList(DenseBlock(spec) for _ in range(spec.blocks))
        self.GFF = nn.Sequential(nn.Conv2d(spec.blocks * width, width, 1), conv3(width, width))

    def forward(self, x: Tensor) -> Tensor:
        shallow: Tensor = self.SFENet1(x)
        y = self.SFENet2(shallow)
        dense = []
        for block in self.RDBs:
            y = block(y)
            dense.append(y)
        fused: Tensor = self.GFF(torch.cat(dense, 1))
        return shallow + fused


ENCODERS: dict[str, type[nn.Module]] = {
    "residual": SmallResidualEncoder,
    "edsr": EdsrEncoder,
    "rdn": RdnEncoder,
}


def build_encoder(spec: EncoderSpec) -> nn.Module:
    """The encoder of a description, with untrained weights."""
    return ENCODERS[spec.kind](spec)
