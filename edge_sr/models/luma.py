"""Networks of luma alone, made to take and give RGB: chroma goes by bicubic, as their papers do it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from edge_sr.quality import LUMA
from edge_sr.resample import cubic

# BT.601 with luma in 16 to 235, here for RGB and luma in [0, 1].
FLOOR = 16 / 255
# Plain numbers: what traces a graph would take numpy's for tensors, and warn.
WEIGHTS: list[float] = LUMA.tolist()
GAIN = 255 / 219  # what a step of luma adds to each of R, G and B


class LumaNetwork(nn.Module):
    """``network`` maps luma ``n x 1 x h x w`` to luma times ``scale``; this maps RGB ``n x 3 x h x w`` likewise.

    Adding the same step of luma to R, G and B changes luma by that step and leaves chroma alone.
    """

    def __init__(self, network: nn.Module, scale: int) -> None:
        super().__init__()
        self.network = network
        self.enlarge = Bicubic(scale) if scale > 1 else nn.Identity()

    def forward(self, picture: Tensor) -> Tensor:
        base: Tensor = self.enlarge(picture)
        step: Tensor = self.network(luma(picture)) - luma(base)
        return base + GAIN * step


def luma(picture: Tensor) -> Tensor:
    """``n x 3 x h x w`` in [0, 1] to ``n x 1 x h x w`` in 16/255 to 235/255."""
    weights = torch.tensor(WEIGHTS).reshape(1, 3, 1, 1).to(picture)
    return functional.conv2d(picture, weights, torch.tensor([FLOOR]).to(picture))


class Bicubic(nn.Module):
    """Bicubic enlargement by a whole number (a = -0.5, half-pixel centres, edges repeated) as one convolution.

    Each of the ``scale * scale`` phases has weights of its own, so that no graph needs ``Resize``, which
    runtimes read differently.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("phases", _phase_kernels(scale), persistent=False)

    def forward(self, picture: Tensor) -> Tensor:
        padded = functional.pad(picture, (2, 2, 2, 2), mode="replicate")
        kernels = self.get_buffer("phases").to(picture)
        return functional.pixel_shuffle(functional.conv2d(padded, kernels, groups=3), self.scale)


def _phase_kernels(scale: int) -> Tensor:
    """``3 * scale * scale x 1 x 5 x 5``: every phase for each of R, G and B."""
    # Of the pixels -2 to 2 around the one that holds the centre of each output phase.
    centres = (np.arange(scale) + 0.5) / scale - 0.5
    rows = torch.tensor(cubic(np.arange(-2, 3) - centres[:, None]), dtype=torch.float32)
    phases = torch.einsum("iy,jx->ijyx", rows, rows).reshape(scale * scale, 1, 5, 5)
    return phases.repeat(3, 1, 1, 1)
