"""A teacher for training: the mean of what a network makes of its eight turns and mirrorings (Timofte et al., "Seven
ways to improve example-based single image super resolution", CVPR 2016).

It is closer to the picture than a single pass, and a smoother target than the picture itself, whose finest detail
no network can know.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from edge_sr.training.data.batches import MIRRORED_COLUMNS, MIRRORED_ROWS, TRANSPOSED, WAYS, Batch

Axes = tuple[int, int]
Predict = Callable[[Tensor, Batch], Tensor]


class Ensemble:
    """What ``predict`` makes of a batch, ``n x p x p x k x 3``, averaged over ``turns`` of the eight ways.

    Fewer than eight are drawn anew for every batch.
    """

    def __init__(self, predict: Predict, turns: int) -> None:
        self._predict, self._turns = predict, turns

    @torch.no_grad()
    def __call__(self, low: Tensor, batch: Batch) -> Tensor:
        ways = torch.randperm(WAYS)[: self._turns].tolist()
        return torch.stack([self._turned(way, low, batch) for way in ways]).mean(0)

    def _turned(self, way: int, low: Tensor, batch: Batch) -> Tensor:
        picture = turned(low, way, (2, 3)).contiguous(memory_format=torch.channels_last)
        offsets = turned_offsets(batch.offsets, way).contiguous()
        return turned_back(self._predict(picture, dataclasses.replace(batch, offsets=offsets)), way, (1, 2))


def turned(values: Tensor, way: int, axes: Axes) -> Tensor:
    """One of the eight: bit 0 mirrors rows, bit 1 columns, bit 2 then exchanges the two ``axes``."""
    values = values.flip(_mirrored(way, axes))
    return values.transpose(*axes) if way & TRANSPOSED else values


def turned_back(values: Tensor, way: int, axes: Axes) -> Tensor:
    """What ``turned`` came from."""
    values = values.transpose(*axes) if way & TRANSPOSED else values
    return values.flip(_mirrored(way, axes))


def turned_offsets(offsets: Tensor, way: int) -> Tensor:
    """Offsets ``n x p x p x k x 2`` (y, x) as they are in a picture that was turned so."""
    signs = [-1.0 if way & bit else 1.0 for bit in (MIRRORED_ROWS, MIRRORED_COLUMNS)]
    offsets = turned(offsets * torch.tensor(signs, device=offsets.device), way, (1, 2))
    return offsets.flip(-1) if way & TRANSPOSED else offsets


def _mirrored(way: int, axes: Axes) -> list[int]:
    bits = (MIRRORED_ROWS, MIRRORED_COLUMNS)
    return [axis for bit, axis in zip(bits, axes, strict=True) if way & bit]
