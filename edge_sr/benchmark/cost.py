"""Work a frame takes, counted from the bundle's description: products only, in multiply-adds.

Sines, ReLUs and the bilinear base are left out, as in the papers' counts; on a CPU the sines take time all
the same (see docs/guides/measuring.md).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from edge_sr.bundle import Bundle
from edge_sr.sizes import Size
from edge_sr.spec import DecoderSpec, EncoderSpec, NetworkSpec

RGB, POSITIONS, WINDOW = 3, 3, 9  # channels; offset_y, offset_x, ratio; a 3 x 3 neighbourhood


class Cost(NamedTuple):
    """Multiply-adds for each LR pixel and for each output pixel."""

    encoder: int
    decoder: int

    def parts(self, input_size: Size, output_size: Size) -> tuple[float, float]:
        """10^9 floating-point operations (two a multiply-add) of encoder and decoder for a frame."""
        lr, hr = input_size[0] * input_size[1], output_size[0] * output_size[1]
        return 2e-9 * self.encoder * lr, 2e-9 * self.decoder * hr

    def gflop(self, input_size: Size, output_size: Size) -> float:
        """That of both."""
        return sum(self.parts(input_size, output_size))


def bundle_cost(bundle: Bundle) -> Cost:
    """What the bundle's graphs compute: as its export counted it, or from DIINN's description."""
    return Cost(*bundle.description.macs) if bundle.description.macs else split_cost(bundle.network)


def split_cost(network: NetworkSpec) -> Cost:
    """What the exported pair of graphs computes: content terms at LR wherever the mode lets them."""
    features, decoder = feature_cost(network.encoder), network.decoder
    if not decoder.splits:
        return Cost(features, _whole_decoder(decoder, network.encoder.channels))
    interactions = _chain(decoder.widths)
    content = WINDOW * network.encoder.channels * _content_width(decoder)
    if decoder.modulated_by_synthesis:
        return Cost(features + content, _synthesis(decoder, POSITIONS) + interactions)
    return Cost(features + content + interactions, _synthesis(decoder, POSITIONS))


def paper_cost(network: NetworkSpec) -> Cost:
    """The form of the DIINN paper: every layer at every output pixel."""
    return Cost(feature_cost(network.encoder), _whole_decoder(network.decoder, network.encoder.channels))


def feature_cost(encoder: EncoderSpec) -> int:
    """Multiply-adds of the feature extractor for each LR pixel, without content terms."""
    return FEATURES[encoder.kind](encoder)


def _residual(encoder: EncoderSpec) -> int:
    square = WINDOW * encoder.channels**2
    return WINDOW * RGB * encoder.channels + (2 * encoder.blocks + 1) * square


def _rdn(encoder: EncoderSpec) -> int:
    channels, growth, layers = encoder.channels, encoder.growth, encoder.layers
    dense = sum(WINDOW * (channels + i * growth) * growth for i in range(layers))
    fusion = (channels + layers * growth) * channels
    shallow = WINDOW * RGB * channels + WINDOW * channels**2
    return shallow + encoder.blocks * (dense + fusion + channels**2) + WINDOW * channels**2


FEATURES: dict[str, Callable[[EncoderSpec], int]] = {"residual": _residual, "edsr": _residual, "rdn": _rdn}


def _content_width(decoder: DecoderSpec) -> int:
    return decoder.widths[0] if decoder.mode == 1 else sum(decoder.widths)


def _chain(widths: tuple[int, ...]) -> int:
    return sum(a * b for a, b in pairwise(widths))


def _synthesis(decoder: DecoderSpec, position: int) -> int:
    taps = WINDOW if decoder.mode == 4 else 1
    return position * decoder.widths[0] + _chain(decoder.widths) + taps * RGB * decoder.widths[-1]


def _whole_decoder(decoder: DecoderSpec, channels: int) -> int:
    content = WINDOW * channels
    modulation = content * _content_width(decoder) + _chain(decoder.widths)
    if decoder.init_q:
        return POSITIONS * content + modulation + _synthesis(decoder, content)
    return modulation + _synthesis(decoder, POSITIONS)
