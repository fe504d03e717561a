"""ESPCN (Shi et al., CVPR 2016, arXiv 1609.05158): layers at LR, sub-pixels put in place at the end."""

from __future__ import annotations

import dataclasses
import math

from torch import Tensor, nn

from edge_sr.models.published.family import Family, Recognised, Tensors, shape


@dataclasses.dataclass(frozen=True)
class EspcnOptions:
    """``scale``, and the channels of the two hidden layers; the paper's 5-3-3 kernels."""

    scale: int
    widths: tuple[int, int] = (64, 32)


class Espcn(nn.Module):
    """Luma ``n x 1 x h x w`` to luma times ``scale``, under the keys of the best-known PyTorch version."""

    def __init__(self, options: EspcnOptions) -> None:
        super().__init__()
        first, second = options.widths
        self.first_part = nn.Sequential(
            nn.Conv2d(1, first, 5, padding=2), nn.Tanh(), nn.Conv2d(first, second, 3, padding=1), nn.Tanh()
        )
        self.last_part = nn.Sequential(
            nn.Conv2d(second, options.scale**2, 3, padding=1), nn.PixelShuffle(options.scale)
        )

    def forward(self, luma: Tensor) -> Tensor:
        result: Tensor = self.last_part(self.first_part(luma))
        return result


def recognise(tensors: Tensors) -> Recognised | None:
    """The layout ``first_part.{0,2}``, ``last_part.0``; the number of sub-pixels says the scale."""
    if "first_part.2.weight" not in tensors or "last_part.0.weight" not in tensors:
        return None
    widths = shape(tensors, "first_part.0.weight")[0], shape(tensors, "first_part.2.weight")[0]
    return EspcnOptions(math.isqrt(shape(tensors, "last_part.0.weight")[0]), widths), dict(tensors)


FAMILY = Family("fixed", EspcnOptions, Espcn, recognise, channels=1)
