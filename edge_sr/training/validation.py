"""How well the averaged weights do on pictures that training never sees."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor, nn

from edge_sr.quality import psnr_y
from edge_sr.training.data.pictures import Pixels
from edge_sr.training.data.scale_set import WHOLE_SCALES, Shrink, scale_crops

Enlarged = Callable[[nn.Module, Tensor, int], Tensor]

# A multiple of 2, 3 and 4; more would make a validation last as long as hundreds of steps.
SIDE = 240
# Of a crop that comes out equal, as black ones may: infinite it would decide for all.
MOST_DB = 100.0


class Validation:
    """The middles of held-out crops (uint8 ``n x side x side x 3``) with their LR at x2, x3 and x4."""

    def __init__(self, crops: Pixels, shrink: Shrink, enlarged: Enlarged) -> None:
        self._enlarged = enlarged
        self._crops = crops = middle(crops, min(SIDE, crops.shape[1]))
        self._scales = [scale_crops(crops, Fraction(scale), shrink) for scale in WHOLE_SCALES]

    @torch.no_grad()
    def measure(self, network: nn.Module, device: torch.device) -> tuple[float, ...]:
        """Mean luma PSNR in dB at x2, x3 and x4, protocol of ``edge_sr.quality``, computed in float32."""
        results = []
        for scaled in self._scales:
            pairs = zip(scaled.low, self._crops[:, : scaled.high, : scaled.high], strict=True)
            values = [
                psnr_y(self._upscaled(network, low, scaled.high, device), high, scaled.scale)
                for low, high in pairs
            ]
            results.append(float(np.mean(np.minimum(values, MOST_DB))))
        return tuple(results)

    def _upscaled(self, network: nn.Module, low: Pixels, high: int, device: torch.device) -> Pixels:
        """A square uint8 picture at ``high x high``."""
        picture = torch.from_numpy(low).to(device).permute(2, 0, 1)[None].float() / 255
        result = self._enlarged(network, picture, high).mul(255).round().clamp(0, 255)
        return np.asarray(result[0].permute(1, 2, 0).to(torch.uint8).cpu())


def middle(crops: Pixels, side: int) -> Pixels:
    first = (crops.shape[1] - side) // 2
    return crops[:, first : first + side, first : first + side]
