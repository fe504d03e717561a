"""An implicit network cut in two: all that a bundle needs to know of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge_sr.export.graphs import LR, TILE, Axes
from edge_sr.spec import EncoderSpec, NetworkSpec, PublishedSpec

Half = Callable[[torch.dtype], nn.Module]
Input = tuple[Tensor, Axes]


@dataclasses.dataclass(frozen=True)
class Form:
    """``encoder``: ``image`` to ``channels`` maps; ``decoder``: maps and positions to ``frame``; each in a dtype.

    ``positions``: the sampling grid's names for what the decoder takes beside the maps, in order, ``image`` among
    them where it has a base. ``padding``: how many pixels more the maps have on each side; ``halo``: output
    pixels that the decoder eats there; ``reach``: LR pixels from an output's nearest one to those it reads.
    ``decoder_macs``: multiply-adds for an output pixel, where ``description`` does not tell them.
    ``sampled``: the decoder over maps that are sampled already, with its positions, and ``weights`` the arrays of
    ``decoder.npz``, where the network has them.
    """

    description: NetworkSpec | PublishedSpec
    features: EncoderSpec
    channels: int
    encoder: Half
    decoder: Half
    positions: tuple[str, ...]
    padding: int = 0
    halo: int = 0
    reach: int = 0
    decoder_macs: int = 0
    sampled: tuple[Half, tuple[str, ...]] | None = None
    weights: Callable[[], dict[str, NDArray[np.float32]]] | None = None

    @property
    def macs(self) -> tuple[int, ...]:
        """Multiply-adds for each pixel of the input and for each of the output."""
        if not self.decoder_macs:
            return ()
        weights = self.encoder(torch.float32).parameters()
        return sum(weight.numel() for weight in weights if weight.dim() == 4), self.decoder_macs


def inputs_of(names: tuple[str, ...], halo: int = 0) -> dict[str, Input]:
    """An example and the dynamic axes of each input of a decoder beside its maps."""
    height, width = (side + 2 * halo for side in TILE)
    known: Mapping[str, Input] = {
        "rows": (torch.zeros(height, dtype=torch.int32), {0: "Ht"}),
        "cols": (torch.zeros(width, dtype=torch.int32), {0: "Wt"}),
        "offset_y": (torch.zeros(1, 1, height, 1), {2: "Ht"}),
        "offset_x": (torch.zeros(1, 1, 1, width), {3: "Wt"}),
        "corner_rows": (torch.zeros(height, dtype=torch.int32), {0: "Ht"}),
        "corner_cols": (torch.zeros(width, dtype=torch.int32), {0: "Wt"}),
        "corner_y": (torch.zeros(1, 1, height, 1), {2: "Ht"}),
        "corner_x": (torch.zeros(1, 1, 1, width), {3: "Wt"}),
        "ratio": (torch.zeros(1, 1, 1, 1), {}),
        "cell": (torch.zeros(1, 2, 1, 1), {}),
        "image": (torch.zeros(1, *LR, 3), {1: "h", 2: "w"}),
        "base": (torch.zeros(1, 3, height, width), {2: "Ht", 3: "Wt"}),
    }
    return {name: known[name] for name in names}
