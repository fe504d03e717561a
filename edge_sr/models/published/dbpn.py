"""DBPN (Haris et al., CVPR 2018, arXiv 1803.02735): up and down in turn, each step corrected by its own error."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from edge_sr.errors import ConfigError
from edge_sr.models.luma import Bicubic
from edge_sr.models.published.family import Family, Recognised, Tensors, count, shape

# Kernel, stride and padding of a projection.
PROJECTIONS = {2: (6, 2, 2), 4: (8, 4, 2), 8: (12, 8, 2)}


@dataclasses.dataclass(frozen=True)
class DbpnOptions:
    """``scale`` (2, 4 or 8), stages, channels of the first features and of the projections: the dense form of 7.

    With ``residual`` the network's result is added to the bicubic enlargement.
    """

    scale: int
    stages: int = 7
    features: int = 256
    channels: int = 64
    residual: bool = False

    def __post_init__(self) -> None:
        if self.scale not in (0, *PROJECTIONS):
            raise ConfigError(f"scale must be 2, 4 or 8, found {self.scale}")


class ActivatedConvolution(nn.Module):
    """``conv``, then a PReLU of one slope, ``act``, unless it is the last."""

    def __init__(self, layer: nn.Conv2d, *, last: bool = False) -> None:
        super().__init__()
        self.conv = layer
        self.act = nn.Identity() if last else nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.act(self.conv(x))
        return result


class Deconvolution(nn.Module):
    """``deconv``, then a PReLU of one slope, ``act``."""

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        self.deconv = layer
        self.act = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.act(self.deconv(x))
        return result


class Projection(nn.Module):
    """There, back, and there again with what the way back missed: ``{up|down}_conv1`` to ``3``.

    Where ``fused`` results of earlier stages come in side by side, ``conv`` brings them down to ``channels``.
    """

    def __init__(self, name: str, options: DbpnOptions, fused: int) -> None:
        super().__init__()
        width = options.channels
        steps = [_enlarging(options), _reducing(options), _enlarging(options)]
        if name == "down":
            steps = [_reducing(options), _enlarging(options), _reducing(options)]
        self.name = name
        for i, step in enumerate(steps, 1):
            self.add_module(f"{name}_conv{i}", step)
        self.conv = ActivatedConvolution(nn.Conv2d(fused * width, width, 1)) if fused > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        first, back, again = (self.get_submodule(f"{self.name}_conv{i}") for i in (1, 2, 3))
        x = self.conv(x)
        there: Tensor = first(x)
        missed: Tensor = again(back(there) - x)
        return missed + there


def _enlarging(options: DbpnOptions) -> nn.Module:
    return Deconvolution(nn.ConvTranspose2d(options.channels, options.channels, *PROJECTIONS[options.scale]))


def _reducing(options: DbpnOptions) -> nn.Module:
    return ActivatedConvolution(nn.Conv2d(options.channels, options.channels, *PROJECTIONS[options.scale]))


class Dbpn(nn.Module):
    """RGB ``n x 3 x h x w`` in [0, 1] to RGB times ``scale``, under the authors' keys."""

    def __init__(self, options: DbpnOptions) -> None:
        super().__init__()
        width, stages = options.channels, options.stages
        self.feat0 = ActivatedConvolution(nn.Conv2d(3, options.features, 3, padding=1))
        self.feat1 = ActivatedConvolution(nn.Conv2d(options.features, width, 1))
        for i in range(1, stages + 1):
            self.add_module(f"up{i}", Projection("up", options, i - 1))
        for i in range(1, stages):
            self.add_module(f"down{i}", Projection("down", options, i))
        self.output_conv = ActivatedConvolution(nn.Conv2d(stages * width, 3, 3, padding=1), last=True)
        self.stages = stages
        self.base = Bicubic(options.scale) if options.residual else None

    def forward(self, picture: Tensor) -> Tensor:
        low: Tensor = self.feat1(self.feat0(picture))
        highs: list[Tensor] = [self.get_submodule("up1")(low)]
        lows: list[Tensor] = []
        for i in range(1, self.stages):
            # The newest first, as the authors put them side by side.
            lows.insert(0, self.get_submodule(f"down{i}")(torch.cat(highs, 1)))
            highs.insert(0, self.get_submodule(f"up{i + 1}")(torch.cat(lows, 1)))
        result: Tensor = self.output_conv(torch.cat(highs, 1))
        return result if self.base is None else result + self.base(picture)


def recognise(tensors: Tensors) -> Recognised | None:
    """The authors' layout; a projection's kernel says the scale."""
    if "up1.up_conv1.deconv.weight" not in tensors:
        return None
    kernel = shape(tensors, "up1.up_conv1.deconv.weight")[2]
    options = DbpnOptions(
        scale=next((scale for scale, (size, *_) in PROJECTIONS.items() if size == kernel), 0),
        stages=count(tensors, r"up(\d+)\.") - 1,
        features=shape(tensors, "feat0.conv.weight")[0],
        channels=shape(tensors, "feat1.conv.weight")[0],
    )
    return options, dict(tensors)


FAMILY = Family("fixed", DbpnOptions, Dbpn, recognise, assumed=lambda tensors: frozenset({"residual"}))
