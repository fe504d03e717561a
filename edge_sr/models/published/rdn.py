"""RDN (Zhang et al., CVPR 2018, arXiv 1802.08797): residual dense blocks at LR, sub-pixel convolutions at the end."""

from __future__ import annotations

import dataclasses

from torch import Tensor, nn

from edge_sr.models.encoders import RdnEncoder, conv3
from edge_sr.models.published.family import Family, Recognised, Tensors, count, shape
from edge_sr.models.published.subpixel import subpixel_layers, subpixel_scale
from edge_sr.spec import EncoderSpec


@dataclasses.dataclass(frozen=True)
class RdnOptions:
    """``scale``; channels, dense blocks, layers in each and their growth; configuration B by default.

    The network works on values from 0 to ``range``.
    """

    scale: int
    channels: int = 64
    blocks: int = 16
    layers: int = 8
    growth: int = 64
    range: float = 255.0


class Rdn(RdnEncoder):
    """RGB ``n x 3 x h x w`` in [0, 1] to RGB times ``scale``, under the keys of EDSR-PyTorch."""

    def __init__(self, options: RdnOptions) -> None:
        width, growth = options.channels, options.growth
        super().__init__(EncoderSpec("rdn", width, options.blocks, options.layers, growth))
        self.range = options.range
        self.UPNet = nn.Sequential(*subpixel_layers(width, growth, options.scale), conv3(growth, 3))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.UPNet(super().forward(x * self.range))
        return result / self.range


def recognise(tensors: Tensors) -> Recognised | None:
    """EDSR-PyTorch's layout; its networks see levels from 0 to 255, which no tensor says."""
    if "UPNet.0.weight" not in tensors or "SFENet1.weight" not in tensors:
        return None
    last = count(tensors, r"UPNet\.(\d+)\.") - 1
    growth = shape(tensors, f"UPNet.{last}.weight")[1]
    steps = [f"UPNet.{i}.weight" for i in range(0, last, 2)]
    options = RdnOptions(
        scale=subpixel_scale(tensors, steps, growth),
        channels=shape(tensors, "SFENet1.weight")[0],
        blocks=count(tensors, r"RDBs\.(\d+)\."),
        layers=count(tensors, r"RDBs\.0\.convs\.(\d+)\."),
        growth=growth,
    )
    return options, dict(tensors)


FAMILY = Family("fixed", RdnOptions, Rdn, recognise, assumed=lambda tensors: frozenset({"range"}))
