"""The split form of DIINN: content terms at LR in the encoder graph, the rest per output pixel.

A 1 x 1 layer on a 3 x 3 unfolding is a 3 x 3 convolution, and a layer on ``[q; U]`` is the sum of a layer on ``q``
and one on ``U``. So every term in ``U`` moves to LR, where the modulation maps hold it with its bias, and only the
terms in ``q`` stay at the output. Exact, in real numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from edge_sr.models.implicit.diinn import (
    Diinn,
    Positions,
    bias_of,
    first_convolutions,
    neighbours,
    normalised,
    without_halo,
)


class SplitEncoder(nn.Module):
    """``image`` to modulation maps, ``1 x sum(widths) x h x w``; with ``init_q`` to ``F`` padded by one.

    ``dtype`` is that of convolutions and maps; ``image`` is float32 in [0, 1].
    """

    def __init__(self, network: Diinn, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.mode = network.spec.decoder.mode
        self.splits = network.spec.decoder.splits
        self.encoder = copy.deepcopy(network.encoder).to(dtype)
        if self.splits:
            content, chained = _content_layers(network)
            self.content, self.chained = content.to(dtype), chained.to(dtype)

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.encoder(normalised(planes(image)).to(self.dtype))
        if not self.splits:
            return functional.pad(features, (1, 1, 1, 1))
        if self.mode >= 3:
            return self._terms(features)
        return torch.cat(self._modulation(features), 1)

    def _terms(self, features: Tensor) -> Tensor:
        """Modes 3 and 4: layer 0 is finished here, the others still wait for their terms in ``q``."""
        parts = [torch.relu(self.content[0](features))]
        if len(self.content) > 1:
            parts.append(self.content[1](features))
        return torch.cat(parts, 1)

    def _modulation(self, features: Tensor) -> list[Tensor]:
        """Modes 1 and 2: the whole modulation branch."""
        k = [torch.relu(self.content[0](features))]
        content = self.content[1:] if self.mode == 2 else [None] * len(self.chained)
        for term, chain in zip(content, self.chained, strict=True):
            previous: Tensor = chain(k[-1])
            k.append(torch.relu(previous if term is None else previous + term(features)))
        return k


def _content_layers(network: Diinn) -> tuple[nn.ModuleList, nn.ModuleList]:
    """3 x 3 convolutions of the terms in ``U``, and (modes 1 and 2) 1 x 1 ones of those in ``k``."""
    channels = network.spec.encoder.channels
    layers = first_convolutions(network.decoder.K)
    if network.spec.decoder.mode == 1:
        return nn.ModuleList([_content_conv(layers[:1], channels)]), nn.ModuleList(copy.deepcopy(layers[1:]))
    if network.spec.decoder.mode == 2:
        content = [_content_conv([layer], channels) for layer in layers]
        chained = [_conv1(layer.weight[:, : -9 * channels]) for layer in layers[1:]]
        return nn.ModuleList(content), nn.ModuleList(chained)
    later = [_content_conv(layers[1:], channels)] if len(layers) > 1 else []
    return nn.ModuleList([_content_conv(layers[:1], channels), *later]), nn.ModuleList()


def _content_conv(layers: Sequence[nn.Conv2d], channels: int) -> nn.Conv2d:
    """The last ``9 * channels`` inputs of 1 x 1 layers as one 3 x 3 convolution, biases included."""
    weight = torch.cat([layer.weight[:, -9 * channels :] for layer in layers])
    return conv3(weight, torch.cat([bias_of(layer) for layer in layers]))


def conv3(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """A linear layer over unfolded features, ``outputs x 9C``, as a 3 x 3 convolution."""
    conv = nn.Conv2d(weight.shape[1] // 9, len(weight), 3, padding=1)
    conv.weight.data = weight.detach().reshape(len(weight), -1, 3, 3).clone()
    conv.bias = nn.Parameter(bias.detach().clone())
    return conv


def _conv1(weight: Tensor) -> nn.Conv2d:
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=False)
    conv.weight.data = weight.detach().clone()
    return conv


def _biases(layers: Sequence[nn.Conv2d]) -> nn.ParameterList:
    return nn.ParameterList(nn.Parameter(channelwise(bias_of(layer))) for layer in layers)


def channelwise(values: Tensor) -> Tensor:
    """One value a channel, shaped to broadcast over a picture."""
    return values.detach().reshape(1, -1, 1, 1).clone()


class PositionalSine(nn.Module):
    """``sin(B [offset_y; offset_x; ratio] + b)``, always float32.

    The argument is a term of the row plus a term of the column, so by the addition theorem the sines are taken once
    for each row and each column, and a pixel costs two products.
    """

    by_y: Tensor
    by_x: Tensor
    by_ratio: Tensor
    bias: Tensor

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        for i, name in enumerate(("by_y", "by_x", "by_ratio")):
            self.register_buffer(name, channelwise(layer.weight[:, i]))
        self.register_buffer("bias", channelwise(bias_of(layer)))

    def forward(self, offset_y: Tensor, offset_x: Tensor, ratio: Tensor) -> Tensor:
        row = offset_y * self.by_y + (ratio * self.by_ratio + self.bias)
        column = offset_x * self.by_x
        return torch.sin(row) * torch.cos(column) + torch.cos(row) * torch.sin(column)


class Synthesis(nn.Module):
    """The synthesis branch and the last layer on maps that are already at the output grid.

    Convolutions in ``dtype``; sine arguments, sines and the result in float32.
    """

    def __init__(self, network: Diinn, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.widths = network.spec.decoder.widths
        decoder = network.decoder
        first, *later = first_convolutions(decoder.Q)
        self.first = PositionalSine(first)
        self.argument = nn.ModuleList(_conv1(layer.weight).to(dtype) for layer in later)
        self.argument_bias = _biases(later)
        self.interaction = nn.ModuleList()
        if network.spec.decoder.modulated_by_synthesis:
            layers = first_convolutions(decoder.K)[1:]
            self.interaction.extend(
                _conv1(layer.weight[:, :width]).to(dtype)
                for layer, width in zip(layers, self.widths[:-1], strict=True)
            )
        self.last_layer = copy.deepcopy(decoder.last_layer).to(dtype)

    def forward(self, maps: Tensor, offset_y: Tensor, offset_x: Tensor, ratio: Tensor) -> Tensor:
        content = torch.split(maps, list(self.widths), 1)
        q = content[0] * self.first(offset_y, offset_x, ratio).to(self.dtype)
        for i in range(len(self.argument)):
            q = self._modulation(i, content[i + 1], q) * self._sine(i, q)
        result: Tensor = self.last_layer(q)
        return result.float()

    def _modulation(self, i: int, content: Tensor, q: Tensor) -> Tensor:
        return torch.relu(self.interaction[i](q) + content) if len(self.interaction) else content

    def _sine(self, i: int, q: Tensor) -> Tensor:
        return torch.sin(self.argument[i](q).float() + self.argument_bias[i]).to(self.dtype)


class UnsplitSynthesis(nn.Module):
    """The whole decoder per output pixel, for ``init_q``: its positional factor makes all content vary per pixel."""

    def __init__(self, network: Diinn, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.mode = network.spec.decoder.mode
        decoder = network.decoder
        synthesis = first_convolutions(decoder.Q)
        self.first = PositionalSine(*first_convolutions(nn.ModuleList([decoder.first_layer])))
        self.K = nn.ModuleList(copy.deepcopy(layer).to(dtype) for layer in first_convolutions(decoder.K))
        self.Q = nn.ModuleList(_conv1(layer.weight).to(dtype) for layer in synthesis)
        self.argument_bias = _biases(synthesis)
        self.last_layer = copy.deepcopy(decoder.last_layer).to(dtype)

    def forward(self, content: Tensor, offset_y: Tensor, offset_x: Tensor, ratio: Tensor) -> Tensor:
        position = self.first(offset_y, offset_x, ratio).to(self.dtype)
        content = content * position
        k = torch.relu(self.K[0](content))
        q = k * self._sine(0, position)
        for i in range(1, len(self.K)):
            k = torch.relu(self.K[i](self._inputs(k, q, content)))
            q = k * self._sine(i, q)
        result: Tensor = self.last_layer(q)
        return result.float()

    def _inputs(self, k: Tensor, q: Tensor, content: Tensor) -> Tensor:
        if self.mode == 1:
            return k
        return torch.cat((k if self.mode == 2 else q, content), 1)

    def _sine(self, i: int, q: Tensor) -> Tensor:
        return torch.sin(self.Q[i](q).float() + self.argument_bias[i]).to(self.dtype)


class SplitDecoder(nn.Module):
    """``maps`` and positions to ``frame``; the contract's decoder, gathers included."""

    def __init__(self, network: Diinn, dtype: torch.dtype) -> None:
        super().__init__()
        self.halo = network.halo
        self.splits = network.spec.decoder.splits
        self.synthesis = Synthesis(network, dtype) if self.splits else UnsplitSynthesis(network, dtype)

    def forward(
        self,
        maps: Tensor,
        rows: Tensor,
        cols: Tensor,
        offset_y: Tensor,
        offset_x: Tensor,
        ratio: Tensor,
        image: Tensor | None = None,
    ) -> Tensor:
        content = gathered(maps, rows, cols) if self.splits else unfolded(maps, rows, cols)
        residual = self.synthesis(content, offset_y, offset_x, ratio)
        if image is not None:
            positions = without_halo(Positions(rows, cols, offset_y, offset_x, ratio), self.halo)
            residual = residual + gathered_base(image, positions)
        return frame(residual)


class SampledDecoder(nn.Module):
    """``maps`` already sampled at the output grid, and the base beside them, to ``frame``.

    A CPU's gather of single values costs more than all products, while the same sampling is cheap outside the
    graph. Offsets broadcast: for a phase, which has one offset throughout, they are single values.
    """

    def __init__(self, network: Diinn, dtype: torch.dtype) -> None:
        super().__init__()
        self.synthesis = Synthesis(network, dtype)

    def forward(
        self, maps: Tensor, offset_y: Tensor, offset_x: Tensor, ratio: Tensor, base: Tensor | None = None
    ) -> Tensor:
        residual = self.synthesis(maps, offset_y, offset_x, ratio)
        return frame(residual if base is None else residual + base)


def planes(image: Tensor) -> Tensor:
    """``1 x h x w x 3`` to ``1 x 3 x h x w``."""
    return image.permute(0, 3, 1, 2)


def frame(residual: Tensor) -> Tensor:
    """De-normalised, clipped to [0, 1] and laid out as ``1 x Ht x Wt x 3``."""
    return (0.5 * residual + 0.5).clamp(0.0, 1.0).permute(0, 2, 3, 1)


def gathered_base(image: Tensor, positions: Positions) -> Tensor:
    """The normalised image's bilinear samples, ``1 x 3 x Ht x Wt``, of ``1 x h x w x 3``: exactly ``bilinear``'s.

    Four pixels are gathered for each output before anything is computed from them. A whole picture in float32, in
    every call of a tile, would be 12 bytes of scratch for each of its pixels.
    """
    rows = neighbours(positions.rows, positions.offset_y, image.shape[1])
    cols = neighbours(positions.cols, positions.offset_x, image.shape[2])

    def column(at: Tensor) -> Tensor:
        near, far = _pixels(image, positions.rows, at), _pixels(image, rows, at)
        return near + (far - near) * (positions.offset_y.abs() / 2)

    near, far = column(positions.cols), column(cols)
    return near + (far - near) * (positions.offset_x.abs() / 2)


def _pixels(image: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    return normalised(planes(image.index_select(1, rows).index_select(2, cols)))


def gathered(maps: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    return maps.index_select(2, rows).index_select(3, cols)


def unfolded(padded: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    """The 3 x 3 neighbourhood of each output's LR pixel in ``F.unfold``'s order, from ``F`` padded by one."""
    shifts = [gathered(padded, rows + dy, cols + dx) for dy in range(3) for dx in range(3)]
    return torch.stack(shifts, 2).flatten(1, 2)
