"""Networks of luma alone, made to take and give RGB: chroma goes by bicubic, as their papers do it."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

# BT.601 with luma in 16 to 235, for RGB and luma in [0, 1].
LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)
FLOOR = 16 / 255
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
    weights = torch.tensor(LUMA).reshape(1, 3, 1, 1).to(picture)
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
    rows = torch.tensor([_taps(phase, scale) for phase in range(scale)])
    phases = torch.einsum("iy,jx->ijyx", rows, rows).reshape(scale * scale, 1, 5, 5)
    return phases.repeat(3, 1, 1, 1)


def _taps(phase: int, scale: int) -> list[float]:
    """Weights of the pixels -2 to 2 around the one that holds the centre of output ``phase``."""
    centre = (phase + 0.5) / scale - 0.5
    return [_cubic(abs(pixel - centre)) for pixel in range(-2, 3)]


def _cubic(x: float) -> float:
    """Keys' cubic convolution with a = -0.5."""
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0
