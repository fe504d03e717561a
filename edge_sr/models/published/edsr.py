"""EDSR (Lim et al., CVPR workshops 2017, arXiv 1707.02921): residual blocks at LR, then sub-pixel convolutions."""

from __future__ import annotations

import dataclasses
import re

import torch
from torch import Tensor, nn

from edge_sr.errors import CheckpointError
from edge_sr.models.encoders import EdsrBlock, conv3
from edge_sr.models.published.family import Family, Recognised, Tensors, count, shape
from edge_sr.models.published.subpixel import subpixel_layers, subpixel_scale

# Of the training set, DIV2K.
MEAN = (0.4488, 0.4371, 0.4040)
MEAN_SHIFTS = ("sub_mean.weight", "sub_mean.bias", "add_mean.weight", "add_mean.bias")
WIDE = 256  # the paper scales residuals in its large network alone, which is this wide

BASICSR = (
    (r"conv_first\.(.*)", r"head.0.\1"),
    (r"body\.(\d+)\.conv1\.(.*)", r"body.\1.body.0.\2"),
    (r"body\.(\d+)\.conv2\.(.*)", r"body.\1.body.2.\2"),
    (r"upsample\.(.*)", r"tail.0.\1"),
    (r"conv_last\.(.*)", r"tail.1.\1"),
)


@dataclasses.dataclass(frozen=True)
class EdsrOptions:
    """``scale``, residual blocks and their channels; what a block adds is taken ``res_scale`` times.

    The network works on values from 0 to ``range`` less ``range`` times ``mean``.
    """

    scale: int
    blocks: int = 16
    channels: int = 64
    res_scale: float = 1.0
    range: float = 255.0
    mean: tuple[float, float, float] = MEAN


class ScaledBlock(EdsrBlock):
    """A residual block of which ``scale`` times the residual is added."""

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__(channels)
        self.scale = scale

    def forward(self, y: Tensor) -> Tensor:
        residual: Tensor = self.body(y)
        return y + self.scale * residual


class Edsr(nn.Module):
    """RGB ``n x 3 x h x w`` in [0, 1] to RGB times ``scale``, under the keys of EDSR-PyTorch.

    The mean is subtracted before the first convolution, which pads with zeros, and not folded into its bias.
    """

    def __init__(self, options: EdsrOptions) -> None:
        super().__init__()
        width = options.channels
        blocks = [_block(options) for _ in range(options.blocks)]
        self.range = options.range
        self.register_buffer("mean", torch.tensor(options.mean).reshape(1, 3, 1, 1), persistent=False)
        self.head = nn.Sequential(conv3(3, width))
        self.body = nn.Sequential(*blocks, conv3(width, width))
        self.tail = nn.Sequential(
            nn.Sequential(*subpixel_layers(width, width, options.scale)), conv3(width, 3)
        )

    def forward(self, picture: Tensor) -> Tensor:
        mean = self.get_buffer("mean")
        head: Tensor = self.head((picture - mean) * self.range)
        result: Tensor = self.tail(head + self.body(head))
        return result / self.range + mean


def _block(options: EdsrOptions) -> nn.Module:
    width, scale = options.channels, options.res_scale
    return EdsrBlock(width) if scale == 1 else ScaledBlock(width, scale)


def recognise(tensors: Tensors) -> Recognised | None:
    """EDSR-PyTorch's layout, or BasicSR's, which keeps range and mean outside its files."""
    renamed = _from_basicsr(tensors) if "conv_after_body.weight" in tensors else dict(tensors)
    if "body.0.body.0.weight" not in renamed or not any(key.startswith("tail.0.") for key in renamed):
        return None
    channels = shape(renamed, "head.0.weight")[0]
    steps = [key for key in renamed if re.fullmatch(r"tail\.0\.\d+\.weight", key)]
    options = EdsrOptions(
        scale=subpixel_scale(renamed, steps, channels),
        blocks=count(renamed, r"body\.(\d+)\.body\."),
        channels=channels,
        res_scale=0.1 if channels == WIDE else 1.0,
    )
    return _with_mean(options, renamed)


def _from_basicsr(tensors: Tensors) -> dict[str, Tensor]:
    last = count(tensors, r"body\.(\d+)\.conv1\.")
    rules = (*BASICSR, (r"conv_after_body\.(.*)", rf"body.{last}.\1"))
    return {_renamed(key, rules): tensor for key, tensor in tensors.items()}


def _renamed(key: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rules:
        if re.fullmatch(pattern, key):
            return re.sub(pattern, replacement, key)
    return key


def _with_mean(options: EdsrOptions, tensors: dict[str, Tensor]) -> Recognised:
    """Mean and range as EDSR-PyTorch's two shifts state them; the shifts themselves are taken out."""
    if not any(key in tensors for key in MEAN_SHIFTS):
        return options, tensors
    weight, bias, back, added = (_taken(tensors, key) for key in MEAN_SHIFTS)
    unit = torch.eye(3).reshape(3, 3, 1, 1)
    if not (weight.equal(unit) and back.equal(unit) and added.equal(-bias)):
        raise CheckpointError(
            "sub_mean and add_mean must shift by one mean there and back, and scale nothing"
        )
    levels = 255.0 if float(added.max()) > 1 else 1.0
    red, green, blue = (round(float(value) / levels, 6) for value in added)
    return dataclasses.replace(options, range=levels, mean=(red, green, blue)), tensors


def _taken(tensors: dict[str, Tensor], key: str) -> Tensor:
    shape(tensors, key)
    return tensors.pop(key)


def assumed(tensors: Tensors) -> frozenset[str]:
    """No file says ``res_scale``, and only one with mean shifts says the rest."""
    shifts = any(key in tensors for key in MEAN_SHIFTS)
    return frozenset({"res_scale"} if shifts else {"res_scale", "range", "mean"})


FAMILY = Family("fixed", EdsrOptions, Edsr, recognise, assumed=assumed)
