"""FSRCNN (Dong et al., ECCV 2016, arXiv 1608.00367): layers at LR, a deconvolution at the end."""

from __future__ import annotations

import dataclasses

from torch import Tensor, nn

from edge_sr.models.published.family import Family, Recognised, Tensors, count, shape


@dataclasses.dataclass(frozen=True)
class FsrcnnOptions:
    """``scale``; feature channels ``d``, shrunk channels ``s`` and mapping layers ``m`` of the paper."""

    scale: int
    d: int = 56
    s: int = 12
    m: int = 4


class Fsrcnn(nn.Module):
    """Luma ``n x 1 x h x w`` to luma times ``scale``, under the keys of the best-known PyTorch version."""

    def __init__(self, options: FsrcnnOptions) -> None:
        super().__init__()
        d, s, scale = options.d, options.s, options.scale
        self.first_part = nn.Sequential(nn.Conv2d(1, d, 5, padding=2), nn.PReLU(d))
        layers: list[nn.Module] = [nn.Conv2d(d, s, 1), nn.PReLU(s)]
        for _ in range(options.m):
            layers += [nn.Conv2d(s, s, 3, padding=1), nn.PReLU(s)]
        self.mid_part = nn.Sequential(*layers, nn.Conv2d(s, d, 1), nn.PReLU(d))
        self.last_part = nn.ConvTranspose2d(d, 1, 9, scale, padding=4, output_padding=scale - 1)

    def forward(self, luma: Tensor) -> Tensor:
        result: Tensor = self.last_part(self.mid_part(self.first_part(luma)))
        return result


def recognise(tensors: Tensors) -> Recognised | None:
    """The layout ``first_part``, ``mid_part``, ``last_part``; ``scale`` is not in the shapes of a deconvolution."""
    if "last_part.weight" not in tensors or "first_part.1.weight" not in tensors:
        return None
    d, s = shape(tensors, "first_part.0.weight")[0], shape(tensors, "mid_part.0.weight")[0]
    m = (count(tensors, r"mid_part\.(\d+)\.") - 4) // 2
    return FsrcnnOptions(0, d, s, m), dict(tensors)


FAMILY = Family("fixed", FsrcnnOptions, Fsrcnn, recognise, channels=1)
