"""DIINN as a pair of graphs: what its modes and ``init_q`` change in the contract."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from edge_sr.export.split.diinn import SampledDecoder, SplitDecoder, SplitEncoder
from edge_sr.export.split.form import Form
from edge_sr.models.implicit.diinn import Diinn, bias_of, first_convolutions

Arrays = dict[str, NDArray[np.float32]]


def diinn_form(network: Diinn) -> Form:
    """The split form; with ``init_q`` the maps are the features, padded by one."""
    spec = network.spec
    offsets = ("offset_y", "offset_x", "ratio")
    base = spec.decoder.bilinear_base
    sampled = takes_sampled_maps(network)
    return Form(
        description=spec,
        features=spec.encoder,
        channels=spec.map_channels,
        encoder=lambda dtype: SplitEncoder(network, dtype),
        decoder=lambda dtype: SplitDecoder(network, dtype),
        positions=("rows", "cols", *offsets, *(["image"] if base else [])),
        padding=0 if spec.decoder.splits else 1,
        halo=network.halo,
        sampled=(
            (lambda dtype: SampledDecoder(network, dtype), (*offsets, *(["base"] if base else [])))
            if sampled
            else None
        ),
        weights=(lambda: weights_of(network)) if sampled else None,
    )


def takes_sampled_maps(network: Diinn) -> bool:
    """Whether the decoder has neither neighbourhood nor unfolding, so that a runner may sample its maps."""
    return network.spec.decoder.splits and network.spec.decoder.mode != 4


def weights_of(network: Diinn) -> Arrays:
    """The decoder's own weights: ``synthesis.{i}``, ``modulation.{i}`` (its half on ``q``), ``last``."""
    arrays: Arrays = {}
    decoder, spec = network.decoder, network.spec.decoder
    for i, layer in enumerate(first_convolutions(decoder.Q)):
        arrays[f"synthesis.{i}.weight"] = _matrix(layer.weight)
        arrays[f"synthesis.{i}.bias"] = bias_of(layer).detach().numpy()
    if spec.modulated_by_synthesis:
        for i, layer in enumerate(first_convolutions(decoder.K)[1:], 1):
            arrays[f"modulation.{i}.weight"] = _matrix(layer.weight[:, : spec.widths[i - 1]])
    arrays["last.weight"] = _matrix(decoder.last_layer.weight)
    arrays["last.bias"] = bias_of(decoder.last_layer).detach().numpy()
    return arrays


def _matrix(weight: torch.Tensor) -> NDArray[np.float32]:
    matrix: NDArray[np.float32] = np.ascontiguousarray(weight.detach().numpy()[:, :, 0, 0])
    return matrix
