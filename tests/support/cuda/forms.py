"""Networks in the forms that the kernels take, the shipped ones and random ones, and their runs on the emulated GPU."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.cuda import kernels
from edge_sr.backends.cuda.encoder_run import Features, Variant
from edge_sr.backends.cuda.network.form import DecoderForm, EncoderForm
from edge_sr.backends.cuda.network.int8 import int8_tensors
from edge_sr.backends.cuda.network.weights import decoder_weights, encoder_weights
from edge_sr.backends.cuda.programs import DecoderProgram, DevicePositions, EncoderProgram
from edge_sr.backends.native.onnx_file import read_graph
from edge_sr.bundle import open_bundle
from edge_sr.grid import SamplingGrid
from support.cuda.probes import Machine

Array = NDArray[Any]
PAIRS = Variant(pairs=6)


@dataclass(frozen=True)
class Network:
    """A network's tensors, by the names of its encoder's graph and of its ``decoder.npz``."""

    encoder: EncoderForm
    decoder: DecoderForm
    encoder_tensors: Mapping[str, Array]
    decoder_tensors: Mapping[str, Array]


@functools.cache
def shipped(name: str, *, int8: bool = False) -> Network:
    """A network of the package; ``int8``: with the int8 layers of its bundle's scheme."""
    bundle = open_bundle(name)
    spec, graph = bundle.network, read_graph(bundle.graph("encoder", "int8" if int8 else "fp32"))
    decoder = DecoderForm(spec.decoder.widths, spec.decoder.mode, spec.decoder.bilinear_base)
    tensors = int8_tensors(graph) if int8 else graph.arrays
    return Network(EncoderForm(spec.encoder.channels), decoder, tensors, bundle.decoder_arrays())


def as_int8(network: Network, layers: Iterable[str], scale: float = 0.05) -> Network:
    """The network with int8 weights in some of its layers, by name, that read levels of ``scale`` and a bit more."""
    tensors = dict(network.encoder_tensors)
    for number, name in enumerate(layers):
        weight = tensors.pop(f"{name}.weight")
        own = (np.abs(weight).max(axis=(1, 2, 3)) / 127).astype(np.float16)
        tensors[f"{name}.weight.levels"] = np.rint(weight / own[:, None, None, None]).astype(np.int8)
        tensors[f"{name}.weight.scale"] = own
        # Content terms read one picture, so they have one scale.
        at = 0 if name.startswith("content.") else number
        tensors[f"{name}.input.scale"] = np.float16(scale * (1 + at / 8))
    return dataclasses.replace(network, encoder_tensors=tensors)


def with_exact_head(network: Network) -> Network:
    """Weights of so few bits that on black and white the head's sums are exact in any order."""
    names = ("encoder.head.weight", "encoder.head.bias")
    rounded = {name: np.rint(network.encoder_tensors[name] * 8) / 8 for name in names}
    return dataclasses.replace(network, encoder_tensors={**network.encoder_tensors, **rounded})


def random_network(channels: int, blocks: int, decoder: DecoderForm, seed: int = 0) -> Network:
    """Weights of about the size that trained ones have, so that activations stay in the range of float16."""
    rng = np.random.default_rng(seed)

    def layer(name: str, *shape: int, bias: bool = True) -> dict[str, Array]:
        fan = np.prod(shape[1:]) if len(shape) > 1 else 1
        weight = rng.normal(0, 0.8 / np.sqrt(fan), shape).astype(np.float32)
        part = {f"{name}.bias": rng.normal(0, 0.3, shape[0]).astype(np.float32)} if bias else {}
        return {f"{name}.weight": weight, **part}

    encoder = layer("encoder.head", channels, 3, 3, 3) | layer("encoder.tail", channels, channels, 3, 3)
    for block in range(blocks):
        for number in (1, 2):
            encoder |= layer(f"encoder.body.{block}.conv{number}", channels, channels, 3, 3)
    encoder |= _content(decoder, channels, layer)
    return Network(EncoderForm(channels), decoder, encoder, _synthesis(decoder, layer))


def _content(form: DecoderForm, channels: int, layer: Any) -> dict[str, Array]:
    first, *later = form.widths
    found: dict[str, Array] = layer("content.0", first, channels, 3, 3)
    if form.mode == 3 and later:
        found |= layer("content.1", sum(later), channels, 3, 3)
    if form.mode < 3:
        for i, width in enumerate(later):
            found |= layer(f"chained.{i}", width, form.widths[i], 1, 1, bias=form.mode == 1)
            if form.mode == 2:
                found |= layer(f"content.{i + 1}", width, channels, 3, 3)
    return found


def _synthesis(form: DecoderForm, layer: Any) -> dict[str, Array]:
    found: dict[str, Array] = layer("synthesis.0", form.widths[0], 3)
    for i, width in enumerate(form.widths[1:], 1):
        found |= layer(f"synthesis.{i}", width, form.widths[i - 1])
        if form.mode == 3:
            found |= layer(f"modulation.{i}", width, form.widths[i - 1], bias=False)
    last: dict[str, Array] = layer("last", 3, form.widths[-1])
    return found | {name: value * np.float32(0.3) for name, value in last.items()}


class Run:
    """A network placed on an emulated GPU."""

    def __init__(self, network: Network, gpu: Machine, sms: int = 2) -> None:
        self._gpu, self._network, self._sms = gpu, network, sms
        encoder = encoder_weights(network.encoder_tensors, network.encoder, network.decoder)
        self._encoder = EncoderProgram(network.encoder, network.decoder, encoder, self._gpu.place)
        weights = decoder_weights(network.decoder_tensors, network.decoder)
        self._decoder = DecoderProgram(network.decoder, weights, self._gpu.place)

    def fits(self, variant: Variant) -> bool:
        """Whether a block of the GPU has the shared memory for all of a variant's kernels."""
        form, fits = self._network.encoder, getattr(self._gpu, "fits", lambda _: True)
        pair = [kernels.pair(form, variant.pairs, narrow=variant.narrow)] if variant.pairs else []
        layers = (
            kernels.layer(form, end, ahead=variant.ahead, narrow=variant.narrow)
            for end in ("relu", "residual")
        )
        return all(map(fits, (*pair, *layers)))

    def encode(self, image: Array, variant: Variant = PAIRS) -> Array:
        """The maps as the kernels lay them out, ``h x w x padded widths``, float16."""
        height, width, _ = image.shape
        features = [
            self._gpu.empty((height, width, self._network.encoder.channels), np.float16) for _ in range(3)
        ]
        maps = self._gpu.empty((height, width, self._network.decoder.channels), np.float16)
        addresses = [self._gpu.address(array) for array in (*features, maps)]
        at = Features(*addresses, height, width)
        self._gpu.run(
            *self._encoder.launches(self._gpu.place(image), io_of(image), at, variant, lambda _: self._sms)
        )
        return self._gpu.fetch(maps)

    def decode(self, maps: Array, image: Array, grid: SamplingGrid) -> Array:
        arrays = grid.rows, grid.cols, grid.offset_y, grid.offset_x, np.asarray(grid.ratio, np.float32)
        places = [self._gpu.place(np.ascontiguousarray(array)) for array in arrays]
        positions = DevicePositions(*places, len(grid.rows), len(grid.cols))
        output = self._gpu.empty((len(grid.rows), len(grid.cols), 3), image.dtype)
        size = maps.shape[0], maps.shape[1]
        where = (
            self._gpu.place(maps),
            self._gpu.place(image),
            io_of(image),
            size,
            positions,
            self._gpu.address(output),
        )
        self._gpu.run(self._decoder.launch(*where))
        return self._gpu.fetch(output)


def io_of(image: Array) -> str:
    return "uint8" if image.dtype == np.uint8 else "float"


def laid_out(maps: Array, form: DecoderForm) -> Array:
    """Maps of a network's own widths with the padding that the kernels have."""
    parts = np.split(maps, np.cumsum(form.widths)[:-1], axis=2)
    sized = zip(parts, form.layers, strict=True)
    return np.concatenate([np.pad(p, ((0, 0), (0, 0), (0, n - p.shape[2]))) for p, n in sized], axis=2)
