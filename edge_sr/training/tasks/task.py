"""How each kind of network is trained: which batches it takes, what it makes of one, how it is judged.

DIINN learns at samples inside LR pixels, which costs least; other implicit networks on whole windows of the
output; networks from picture to picture on pairs of pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from edge_sr.models.families import build_network, family_of, picture_network, scale_of
from edge_sr.models.implicit.diinn import Diinn, Positions
from edge_sr.models.implicit.points import ImplicitNetwork
from edge_sr.resample import resize_planes
from edge_sr.spec import ModelSpec, PublishedSpec
from edge_sr.training.data.batches import Batch, BatchSource, GridBatch, PictureBatch
from edge_sr.training.data.scale_set import WHOLE_SCALES, draw_scales
from edge_sr.training.spec import ScheduleSpec
from edge_sr.training.tasks.sampled import SampledDiinn, whole_picture

# LR pixels beyond the nearest one that LIIF and Meta-SR read features at.
NEIGHBOURS = 1
Compile = Callable[[nn.Module], Any]
Predict = Callable[[Tensor, Any], Tensor]
Scales = tuple[list[Fraction], Any]


class TrainingTask(Protocol):
    """What differs between kinds of networks while they learn."""

    def network(self) -> nn.Module:
        """The network with untrained weights."""

    def scales(self, schedule: ScheduleSpec, count: int, seed: int) -> Scales:
        """The scales that crops are shrunk by, and how often each is drawn."""

    def draw(self, source: BatchSource) -> Any:
        """A batch, with uint8 ``low`` ``n x p x p x 3`` and ``target``."""

    def predictor(self, network: nn.Module, compiled: Compile) -> Predict:
        """From ``low`` as ``n x 3 x p x p`` in [0, 1], and its batch, to what ``target`` should be in [0, 1]."""

    def enlarged(self, network: nn.Module, picture: Tensor, high: int) -> Tensor:
        """``1 x 3 x p x p`` to ``1 x 3 x high x high``, for validation."""


def task_for(spec: ModelSpec) -> TrainingTask:
    """The training task of the spec's network; ``ConfigError`` for a network that is not known."""
    network = spec.network()
    if isinstance(network, PublishedSpec):
        return WindowTask(network) if family_of(network).kind == "implicit" else PictureTask(network)
    return DiinnTask(spec)


class DiinnTask:
    """Samples inside LR pixels; in mode 4, whose last layer has neighbours, whole windows."""

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec.diinn()
        self._windows = self._spec.decoder.mode == 4

    def network(self) -> nn.Module:
        return Diinn(self._spec)

    def scales(self, schedule: ScheduleSpec, count: int, seed: int) -> Scales:
        return draw_scales(schedule, count, seed)

    def draw(self, source: BatchSource) -> Batch | GridBatch:
        return source.draw_grid(halo=1) if self._windows else source.draw()

    def predictor(self, network: nn.Module, compiled: Compile) -> Predict:
        assert isinstance(network, Diinn)
        if self._windows:
            return lambda low, batch: _window(network, low, batch)
        forward = compiled(SampledDiinn(network))

        def predict(low: Tensor, batch: Batch) -> Tensor:
            samples: Tensor = forward(low, batch.offsets, batch.ratio)
            return samples

        return predict

    def enlarged(self, network: nn.Module, picture: Tensor, high: int) -> Tensor:
        assert isinstance(network, Diinn)
        return whole_picture(network, picture, high)


class WindowTask:
    """An implicit network, at every pixel of a window of the output."""

    def __init__(self, spec: PublishedSpec) -> None:
        self._spec = spec

    def network(self) -> nn.Module:
        return build_network(self._spec)

    def scales(self, schedule: ScheduleSpec, count: int, seed: int) -> Scales:
        return draw_scales(schedule, count, seed)

    def draw(self, source: BatchSource) -> GridBatch:
        return source.draw_grid(halo=0, margin=NEIGHBOURS)

    def predictor(self, network: nn.Module, compiled: Compile) -> Predict:
        assert isinstance(network, ImplicitNetwork)

        def predict(low: Tensor, batch: GridBatch) -> Tensor:
            features = network.encode(low)
            windows = [network.decode(one[None], batch.grid) for one in features]
            return torch.cat(windows).permute(0, 2, 3, 1)

        return predict

    def enlarged(self, network: nn.Module, picture: Tensor, high: int) -> Tensor:
        result: Tensor = network(picture, (high, high))
        return result


class PictureTask:
    """A network from picture to picture: of one scale, or over pictures that were enlarged first."""

    def __init__(self, spec: PublishedSpec) -> None:
        self._spec, self._refines = spec, family_of(spec).kind == "refine"
        self._scale = scale_of(spec)

    def network(self) -> nn.Module:
        return build_network(self._spec)

    def scales(self, schedule: ScheduleSpec, count: int, seed: int) -> Scales:
        own = list(WHOLE_SCALES) if self._refines else [self._scale]
        return [Fraction(scale) for scale in own], np.full(len(own), 1 / len(own))

    def draw(self, source: BatchSource) -> PictureBatch:
        return source.draw_pictures(enlarged=self._refines)

    def predictor(self, network: nn.Module, compiled: Compile) -> Predict:
        forward = compiled(picture_network(self._spec, network))

        return lambda low, _batch: forward(low).permute(0, 2, 3, 1)

    def enlarged(self, network: nn.Module, picture: Tensor, high: int) -> Tensor:
        """A scale that is not its own is reached by bicubic interpolation, before the network or after it."""
        whole = picture_network(self._spec, network)
        if self._refines:
            result: Tensor = whole(_resized(picture, high))
            return result
        own: Tensor = whole(picture)
        return own if own.shape[2] == high else _resized(own, high)


def _window(network: Diinn, low: Tensor, batch: GridBatch) -> Tensor:
    positions = Positions.from_grid(batch.grid, low)
    return network.decode(network.encode(low), low, positions).permute(0, 2, 3, 1)


def _resized(picture: Tensor, side: int) -> Tensor:
    planes = resize_planes(picture.cpu().numpy(), (side, side))
    return torch.from_numpy(planes).to(picture)
