"""DIINN at scattered samples: the content terms as one convolution at LR, the rest for each sample.

The same arithmetic as ``edge_sr.models.implicit.diinn``, ordered so that a step costs little more than its encoder.
With ``init_q`` content varies for each sample and nothing moves. In mode 4 the last layer has neighbours on the
output grid, so that samples cannot stand alone.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_sr.grid import sampling_grid
from edge_sr.models.implicit.diinn import Decoder, Diinn, Positions, bilinear, normalised
from edge_sr.spec import DecoderSpec
from edge_sr.training.quantisation.rounding import RoundedConvolution


def content_moves(spec: DecoderSpec) -> bool:
    """Whether ``content_maps`` and ``synthesise`` compute this decoder."""
    return not spec.init_q and spec.mode < 4


class SampledDiinn(nn.Module):
    """``network`` seen at samples; shares its parameters."""

    def __init__(self, network: Diinn) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor, offsets: Tensor, ratio: Tensor) -> Tensor:
        """``picture`` ``n x 3 x p x p`` in [0, 1], ``offsets`` ``n x p x p x k x 2``, ``ratio`` one value.

        Returns ``n x p x p x k x 3``, values around [0, 1], float32.
        """
        positions = torch.cat((offsets, ratio.expand(*offsets.shape[:-1], 1)), -1)
        moves = content_moves(self.network.spec.decoder)
        decode = decode_moved if moves else decode_unfolded
        residual = decode(self.network.decoder, self.network.encode(picture), positions).float()
        if self.network.spec.decoder.bilinear_base:
            residual = residual + bilinear_at(normalised(picture), offsets)
        return 0.5 * residual + 0.5


def decode_moved(decoder: Decoder, features: Tensor, positions: Tensor) -> Tensor:
    """Samples ``n x p x p x k x 3`` of ``n x C x p x p`` at ``n x p x p x k x 3``, content terms at LR."""
    shape = positions.shape
    maps = content_maps(decoder, features).permute(0, 2, 3, 1).unsqueeze(3)
    rows = maps.expand(*shape[:-1], -1).flatten(0, 3)
    return synthesise(decoder, rows, positions.flatten(0, 3)).view(*shape[:-1], 3)


def decode_unfolded(decoder: Decoder, features: Tensor, positions: Tensor) -> Tensor:
    """The same by the decoder's own form, each sample with its LR neighbourhood unfolded."""
    shape = positions.shape
    content = functional.unfold(features, 3, padding=1).repeat_interleave(shape[3], 2).unsqueeze(2)
    places = positions.flatten(1, 3).transpose(1, 2).unsqueeze(2)
    result: Tensor = decoder(content, places)
    return result.squeeze(2).transpose(1, 2).reshape(*shape[:-1], 3)


def content_maps(decoder: Decoder, features: Tensor) -> Tensor:
    """The content terms of every modulation layer that has one, biases included: ``n x sum(D) x h x w``."""
    channels = features.shape[1]
    layers = [_conv(layer) for layer in decoder.K][: _mapped(decoder)]
    if any(isinstance(layer, RoundedConvolution) for layer in layers):
        return torch.cat([_content(layer, features) for layer in layers], 1)
    weights = [_content_weight(conv, channels) for conv in layers]
    return functional.conv2d(
        features, torch.cat(weights), torch.cat([cast(Tensor, conv.bias) for conv in layers]), padding=1
    )


def _content(layer: nn.Conv2d, features: Tensor) -> Tensor:
    if isinstance(layer, RoundedConvolution):
        return layer.content(features)
    return functional.conv2d(features, _content_weight(layer, features.shape[1]), layer.bias, padding=1)


def _content_weight(layer: nn.Conv2d, channels: int) -> Tensor:
    """The last ``9 * channels`` inputs of a 1 x 1 layer as a 3 x 3 convolution."""
    return layer.weight[:, -9 * channels :].reshape(-1, channels, 3, 3)


def synthesise(decoder: Decoder, maps: Tensor, positions: Tensor) -> Tensor:
    """Samples ``m x 3`` from their content terms ``m x sum(D)`` and positional inputs ``m x 3``."""
    return _product(decoder.last_layer, synthesis_outputs(decoder, maps, positions)[-1])


def synthesis_outputs(decoder: Decoder, maps: Tensor, positions: Tensor) -> list[Tensor]:
    """What each layer of the synthesis branch hands on, ``m x D`` each; inputs as for ``synthesise``."""
    split = list(torch.split(maps, list(decoder.spec.widths[: _mapped(decoder)]), 1))
    k = torch.relu(split[0])
    outputs = [k * torch.sin(_product(_conv(decoder.Q[0]), positions))]
    for index in range(1, len(decoder.spec.widths)):
        q = outputs[-1]
        k = torch.relu(_modulation(decoder, index, k, q, split))
        outputs.append(k * torch.sin(_product(_conv(decoder.Q[index]), q)))
    return outputs


def _conv(layer: nn.Module) -> nn.Conv2d:
    """The 1 x 1 convolution of a decoder layer; its activation is applied here."""
    conv: nn.Conv2d = cast(nn.Sequential, layer)[0]  # type: ignore[assignment]
    return conv


def _mapped(decoder: Decoder) -> int | None:
    return 1 if decoder.spec.mode == 1 else None


def _modulation(decoder: Decoder, index: int, k: Tensor, q: Tensor, maps: list[Tensor]) -> Tensor:
    conv = _conv(decoder.K[index])
    if decoder.spec.mode == 1:
        return _product(conv, k)
    width = decoder.spec.widths[index - 1]
    previous = k if decoder.spec.mode == 2 else q
    return maps[index] + functional.linear(previous, conv.weight[:, :width, 0, 0])


def _product(conv: nn.Conv2d, rows: Tensor) -> Tensor:
    return functional.linear(rows, conv.weight[:, :, 0, 0], conv.bias)


def bilinear_at(picture: Tensor, offsets: Tensor) -> Tensor:
    """Bilinear samples ``n x p x p x k x c`` inside each pixel of ``n x c x p x p``, edges clamped."""
    padded = functional.pad(picture.float(), (1, 1, 1, 1), "replicate").permute(0, 2, 3, 1).unsqueeze(3)
    dy, dx = offsets[..., :1], offsets[..., 1:]
    above, level, below = (_across(padded[:, first : first + picture.shape[2]], dx) for first in range(3))
    far = torch.where(dy > 0, below, above)
    return level + (far - level) * (dy.abs() / 2)


def _across(rows: Tensor, dx: Tensor) -> Tensor:
    left, here, right = rows[:, :, :-2], rows[:, :, 1:-1], rows[:, :, 2:]
    far = torch.where(dx > 0, right, left)
    return here + (far - here) * (dx.abs() / 2)


def whole_picture(network: Diinn, picture: Tensor, high: int) -> Tensor:
    """``1 x 3 x p x p`` to ``1 x 3 x high x high``, content terms at LR where the decoder allows it."""
    if not content_moves(network.spec.decoder):
        result: Tensor = network(picture, (high, high))
        return result
    side = picture.shape[2]
    positions = Positions.from_grid(sampling_grid((side, side), (high, high)), picture)
    maps = content_maps(network.decoder, network.encode(picture))
    rows = maps[0, :, positions.rows][..., positions.cols].flatten(1).t()
    residual = synthesise(network.decoder, rows, positions.stacked()[0].flatten(1).t())
    image = residual.t().reshape(1, 3, high, high)
    if network.spec.decoder.bilinear_base:
        image = image + bilinear(normalised(picture), positions)
    return 0.5 * image + 0.5
