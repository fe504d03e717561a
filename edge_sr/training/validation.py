"""How well the averaged weights do on pictures that training never sees."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from edge_sr.grid import sampling_grid
from edge_sr.models.diinn import Diinn, Positions, bilinear, normalised
from edge_sr.quality import psnr_y
from edge_sr.training.ladder import WHOLE_SCALES, Shrink, build_rung
from edge_sr.training.pictures import Pixels
from edge_sr.training.sampled import content_maps, content_moves, synthesise

# A multiple of 2, 3 and 4; more would make a validation last as long as hundreds of steps.
SIDE = 240


class Validation:
    """The middles of held-out crops (uint8 ``n x side x side x 3``) with their LR at x2, x3 and x4."""

    def __init__(self, crops: Pixels, shrink: Shrink) -> None:
        self._crops = crops = middle(crops, min(SIDE, crops.shape[1]))
        self._rungs = [build_rung(crops, Fraction(scale), shrink) for scale in WHOLE_SCALES]

    @torch.no_grad()
    def measure(self, network: Diinn, device: torch.device) -> tuple[float, ...]:
        """Mean luma PSNR in dB at x2, x3 and x4, protocol of ``edge_sr.quality``, computed in float32."""
        results = []
        for rung in self._rungs:
            pairs = zip(rung.low, self._crops[:, : rung.high, : rung.high], strict=True)
            values = [
                psnr_y(upscale(network, low, rung.high, device), high, rung.scale) for low, high in pairs
            ]
            results.append(float(np.mean(values)))
        return tuple(results)


def middle(crops: Pixels, side: int) -> Pixels:
    first = (crops.shape[1] - side) // 2
    return crops[:, first : first + side, first : first + side]


def upscale(network: Diinn, low: Pixels, high: int, device: torch.device) -> Pixels:
    """A square uint8 picture at ``high x high``."""
    picture = torch.from_numpy(low).to(device).permute(2, 0, 1)[None].float() / 255
    result = whole_picture(network, picture, high).mul(255).round().clamp(0, 255)
    return np.asarray(result[0].permute(1, 2, 0).to(torch.uint8).cpu())


def whole_picture(network: Diinn, picture: Tensor, high: int) -> Tensor:
    """``1 x 3 x p x p`` to ``1 x 3 x high x high``, content terms at LR where the decoder allows it."""
    if not content_moves(network.spec.decoder):
        result: Tensor = network(picture, (high, high))
        return result
    side = picture.shape[2]
    positions = Positions.from_grid(sampling_grid((side, side), (high, high)), picture)
    maps = content_maps(network.decoder, network.encode(picture))
    rows = maps[0, :, positions.rows][..., positions.cols].flatten(1).t()
    residual = synthesise(network.decoder, rows, positions.stacked()[0].flatten(1).t())
    image = residual.t().reshape(1, 3, high, high)
    if network.spec.decoder.bilinear_base:
        image = image + bilinear(normalised(picture), positions)
    return 0.5 * image + 0.5
