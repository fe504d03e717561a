"""Meta-SR's split form: the product of predicted weights and content turned round.

The weights are ``V z + b`` with ``z`` the hidden layer, which knows positions alone, so the output ``U (V z + b)`` is
``(U V) z + U b``. ``U V`` and ``U b`` are a 3 x 3 convolution at LR; an output pixel is left with ``z`` and three
scalar products, whatever the scale.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_sr.export.split.diinn import conv3, frame, gathered
from edge_sr.export.split.form import Form
from edge_sr.export.split.points import ContentEncoder, PositionalTerm, conv1
from edge_sr.files.config import to_mapping
from edge_sr.models.implicit.metasr import MetaSr
from edge_sr.spec import PublishedSpec

RGB = 3


class MetaSrDecoder(nn.Module):
    """``maps`` and positions to ``frame``: positions and ``z`` in float32, products and sums in ``dtype``."""

    def __init__(self, network: MetaSr, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype, self.width = dtype, network.options.widths[-1]
        first, *later = network.imnet.linear()[:-1]
        # The third input is h / H, half of what the grid calls the cell's height.
        halved = first.weight[:, 2:] / 2
        self.position = PositionalTerm(
            torch.cat((first.weight[:, :2], halved, torch.zeros_like(halved)), 1), first.bias
        )
        self.layers = nn.ModuleList(conv1(layer) for layer in later)
        self.sums = nn.Conv2d(RGB * self.width, RGB, 1, groups=RGB, bias=False)
        self.sums.weight.data.fill_(1)
        self.sums.to(dtype)

    def forward(
        self,
        maps: Tensor,
        corner_rows: Tensor,
        corner_cols: Tensor,
        corner_y: Tensor,
        corner_x: Tensor,
        cell: Tensor,
    ) -> Tensor:
        z = torch.relu(self.position(corner_y, corner_x, cell))
        for layer in self.layers:
            z = torch.relu(layer(z))
        content = gathered(maps, corner_rows, corner_cols)
        factors, constant = torch.split(content, [RGB * self.width, RGB], 1)
        result = self.sums(factors * torch.cat([z.to(self.dtype)] * RGB, 1))
        return frame(result.float() + constant.float())


def _turned(network: MetaSr) -> Tensor:
    """``U V`` for each colour, then ``U b``, as a layer on ``U``: ``3 * width + 3`` rows of ``9C``."""
    last = network.imnet.linear()[-1]
    content = 9 * network.options.encoder.channels
    # The last layer's outputs are read as 9C x 3.
    weight = last.weight.detach().reshape(content, RGB, -1).permute(1, 2, 0).reshape(-1, content)
    return torch.cat((weight, last.bias.detach().reshape(content, RGB).T))


def metasr_form(network: MetaSr) -> Form:
    """Meta-SR as a pair of graphs."""
    content = _turned(network)
    bias = torch.zeros(len(content))
    weights = sum(layer.weight.numel() for layer in network.imnet.linear()[:-1])
    return Form(
        description=PublishedSpec("", "metasr", to_mapping(network.options)),
        features=network.options.encoder,
        channels=len(content),
        encoder=lambda dtype: ContentEncoder(network.encoder, conv3(content, bias), dtype),
        decoder=lambda dtype: MetaSrDecoder(network, dtype),
        positions=("corner_rows", "corner_cols", "corner_y", "corner_x", "cell"),
        reach=1,
        decoder_macs=weights + RGB * network.options.widths[-1],
    )
