"""The project's own decoder behind the fastest encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.base import CpuRunner, RunnerConfig
from edge_sr.backends.native.decoder import NativeDecoder
from edge_sr.backends.native.encoder import NativeEncoder
from edge_sr.backends.native.encoders import open_encoder
from edge_sr.backends.native.kernels import BF16_KERNELS, LEAST_COLUMNS, decoder_kernel
from edge_sr.grid import SamplingGrid
from edge_sr.tensors import Image


class NativeRunner(CpuRunner):
    """The library's encoder, or another's for networks that it does not have, then all output pixels in registers.

    ``bf16`` rounds the inputs of products to bfloat16 where that is faster here, in both; sums, sines, base and pixels
    stay float32. INT8 is the encoder's, and what is not in INT8 is computed as ``bf16`` is. Other precisions are the
    encoder's alone.
    """

    backend = "native"

    def __init__(self, config: RunnerConfig) -> None:
        decoder = config.bundle.network.decoder
        self.precision = config.precision
        kernel = decoder_kernel(config.precision)
        self._encoder = open_encoder(config, bf16_maps=kernel in BF16_KERNELS)
        self.encoder_backend = self._encoder.backend
        if isinstance(self._encoder, NativeEncoder):
            self.spare_columns = self._encoder.spare_columns
            self.least_columns = LEAST_COLUMNS
        self._dtype = config.dtype
        self._decoder = NativeDecoder(
            config.bundle.decoder_arrays(),
            decoder.widths,
            decoder.mode,
            decoder.bilinear_base,
            config.threads,
            kernel,
        )

    def encode(self, image: Image) -> NDArray[Any]:
        maps = self._encoder.encode(image)
        return maps.astype(np.float32) if maps.dtype == np.float16 else maps

    def decode(self, maps: NDArray[Any], image: Image, grid: SamplingGrid) -> Image:
        return self._decoder.decode(
            maps,
            image,
            grid.rows,
            grid.cols,
            grid.offset_y,
            grid.offset_x,
            grid.ratio,
            dtype=self._dtype,
        )

    def close(self) -> None:
        self._decoder.close()
        if isinstance(self._encoder, NativeEncoder):
            self._encoder.close()
