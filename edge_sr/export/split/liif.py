"""LIIF's split form: its first layer's content term at LR, the rest for four neighbours of every output pixel.

The neighbours' rows depend on the output's row alone, columns likewise. So all four are one evaluation over twice
as many rows and columns, and blended by halves afterwards.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_sr.export.split.diinn import conv3, frame, gathered
from edge_sr.export.split.form import Form
from edge_sr.export.split.points import ContentEncoder, PositionalTerm, conv1
from edge_sr.files.config import to_mapping
from edge_sr.models.implicit.liif import LEAST_WEIGHT, POSITIONAL_INPUTS, SIDES, Liif
from edge_sr.spec import PublishedSpec

# Half of the smallest offset that is not 0 is larger: output sides have at most 65,536 pixels.
HAIR = 2.0**-20
# The exporter's optimiser takes a summand of 1e-9 for 0. Weights only matter by their ratio.
AREA_UNITS = 2.0**20


class LiifDecoder(nn.Module):
    """``maps`` and positions to ``frame``: convolutions in ``dtype``, positions, weights and blend in float32."""

    def __init__(self, network: Liif, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        first, *later = network.imnet.linear()
        positional = first.weight[:, -POSITIONAL_INPUTS:]
        self.position = PositionalTerm(positional, torch.zeros(len(positional)))
        self.layers = nn.ModuleList(conv1(layer).to(dtype) for layer in later)

    def forward(
        self, maps: Tensor, rows: Tensor, cols: Tensor, offset_y: Tensor, offset_x: Tensor, cell: Tensor
    ) -> Tensor:
        size = rows.shape[0], cols.shape[0]
        rows, offset_y = _both_sides(rows, offset_y, maps.shape[2], 2)
        cols, offset_x = _both_sides(cols, offset_x, maps.shape[3], 3)
        values = gathered(maps, rows, cols).float() + self.position(offset_y, offset_x, cell)
        for layer in self.layers:
            values = layer(torch.relu(values).to(self.dtype))
        areas = (offset_y * offset_x).abs() * AREA_UNITS + LEAST_WEIGHT * AREA_UNITS
        return frame(_blended(_quarters(values.float(), *size), _quarters(areas, *size)))


def _both_sides(index: Tensor, offset: Tensor, length: int, axis: int) -> tuple[Tensor, Tensor]:
    """Both neighbours' indices and offsets along an axis, those of the lower side first.

    The nearest LR pixel is one of them, and the other lies where the offset points; at the border it is the same.
    """
    sides, offsets = [], []
    sign = torch.sign(offset + HAIR)
    for side in SIDES:
        other = (index + ((sign + side) / 2).flatten().to(index.dtype)).clamp(0, length - 1)
        sides.append(other)
        offsets.append(offset - 2 * (other - index).to(offset.dtype).reshape(offset.shape))
    return torch.cat(sides), torch.cat(offsets, axis)


def _blended(values: list[Tensor], areas: list[Tensor]) -> Tensor:
    """Each neighbour's value weighted by the opposite one's area."""
    weighted = [value * area for value, area in zip(values, reversed(areas), strict=True)]
    return _sum(weighted) / _sum(areas)


def _quarters(whole: Tensor, height: int, width: int) -> list[Tensor]:
    halves = whole[:, :, :height], whole[:, :, height:]
    return [part for half in halves for part in (half[..., :width], half[..., width:])]


def _sum(parts: list[Tensor]) -> Tensor:
    return (parts[0] + parts[1]) + (parts[2] + parts[3])


def liif_form(network: Liif) -> Form:
    """LIIF as a pair of graphs."""
    first, *later = network.imnet.linear()
    content = first.weight[:, :-POSITIONAL_INPUTS]
    one = POSITIONAL_INPUTS * len(content) + sum(layer.weight.numel() for layer in later)
    return Form(
        description=PublishedSpec("", "liif", to_mapping(network.options)),
        features=network.options.encoder,
        channels=len(content),
        encoder=lambda dtype: ContentEncoder(network.encoder, conv3(content, first.bias), dtype),
        decoder=lambda dtype: LiifDecoder(network, dtype),
        positions=("rows", "cols", "offset_y", "offset_x", "cell"),
        reach=1,
        decoder_macs=len(SIDES) ** 2 * one,
    )
