"""The scale set on a run's GPU: to shrink a stack of crops is two products there, and no file of it is needed."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from edge_sr.quality import pair_sides
from edge_sr.resample import weight_matrix
from edge_sr.training.data.pictures import Pixels
from edge_sr.training.data.scale_set import ScaledCrops, placed_crops

# Crops resized at a time.
CHUNK = 256


class DeviceScales:
    """``crops`` (uint8 ``n x side x side x 3``) on ``device``, at one scale and another."""

    def __init__(self, crops: Pixels, device: torch.device) -> None:
        self.crops = torch.from_numpy(crops).to(device)

    def scaled(self, scale: Fraction) -> ScaledCrops:
        """All crops at ``scale``, as ``edge_sr.quality`` shrinks but for the order that floats are summed in."""
        low, high = pair_sides(self.crops.shape[1], scale)
        return placed_crops(scale, resized(self.crops[:, :high, :high], low), high)

    def enlarged(self, scaled: ScaledCrops) -> Tensor:
        """Its LR crops by bicubic at the size of its HR crops."""
        assert isinstance(scaled.low, Tensor)
        return resized(scaled.low, scaled.high)


def resized(crops: Tensor, side: int) -> Tensor:
    """Square crops, uint8 ``n x s x s x 3``, at ``side`` by antialiased bicubic, rounded after each axis."""
    matrix = torch.from_numpy(weight_matrix(crops.shape[1], side)).float().to(crops.device)
    return torch.cat([_resized(part, matrix) for part in torch.split(crops, CHUNK)])


def _resized(crops: Tensor, matrix: Tensor) -> Tensor:
    planes = crops.permute(0, 3, 1, 2).float()
    planes = _levels(matrix @ _levels(planes @ matrix.T))
    return planes.permute(0, 2, 3, 1).to(torch.uint8).contiguous()


def _levels(planes: Tensor) -> Tensor:
    return (planes + 0.5).floor().clamp(0, 255)
