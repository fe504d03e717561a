"""Small residual encoders in the native library, called through ctypes."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.lending import Lender
from edge_sr.backends.native.calls import NativePart
from edge_sr.backends.native.kernels import spare_columns
from edge_sr.backends.native.library import (
    EncoderConvolution,
    EncodeRequest,
    EncoderNetwork,
    address,
    check,
    loaded,
)
from edge_sr.backends.native.residual import Convolution, ResidualEncoder
from edge_sr.errors import BundleError, ShapeError

Array = NDArray[Any]
SIDE = 3  # of a convolution


class _Packed:
    """A network's arrays as C reads them, checked, and kept alive meanwhile."""

    def __init__(self, encoder: ResidualEncoder) -> None:
        self._kept: list[Array] = []
        count = len(encoder.convolutions)
        self._table = (EncoderConvolution * count)(*map(self._entry, encoder.convolutions))
        self.network = EncoderNetwork(
            encoder.channels, encoder.blocks, len(encoder.contents), ctypes.addressof(self._table)
        )

    def _entry(self, one: Convolution) -> EncoderConvolution:
        if len(one.shape) != 4 or one.shape[2:] != (SIDE, SIDE):
            raise BundleError(f"expected 3 x 3 convolutions, found {one.shape}: export the bundle again")
        outputs, inputs = one.shape[:2]
        if one.levels is None:
            weight = self._keep(one.weight, np.float32, one.shape)
            bias = self._keep(one.bias, np.float32, (outputs,))
            fixed = (None, None, None, 0.0, 0)
            return EncoderConvolution(inputs, outputs, weight, bias, *fixed, one.relu, one.input_range)
        levels = one.levels
        return EncoderConvolution(
            inputs,
            outputs,
            None,
            None,
            self._keep(levels.weight, np.int8, one.shape),
            self._keep(levels.weight_scale, np.float32, (outputs,)),
            self._keep(levels.bias, np.int32, (outputs,)),
            levels.input_scale,
            levels.input_zero,
            one.relu,
            0.0,
        )

    def _keep(self, array: Array | None, dtype: Any, shape: tuple[int, ...]) -> int | None:
        if array is None or array.shape != shape or not np.isfinite(array).all():
            found = "none" if array is None else array.shape
            raise BundleError(
                f"expected finite encoder weights of shape {shape}, found {found}: export the bundle again"
            )
        self._kept.append(np.ascontiguousarray(array, dtype))
        return address(self._kept[-1])


class NativeEncoder(NativePart):
    """``image`` to maps on ``threads`` threads, by one kernel of ``encoder_kernels()``.

    ``dtype`` is the images': uint8, or float32 in [0, 1]. Maps are float32, or with ``bf16_maps`` the bits of bfloat16
    as uint16: only kernels that multiply in it write them. Several threads may encode at once. Raises
    ``MissingError`` without the library, ``BundleError`` for weights that do not fit each other or the kernel.
    """

    backend = "native"

    def __init__(
        self, encoder: ResidualEncoder, dtype: Any, threads: int, kernel: str, *, bf16_maps: bool = False
    ) -> None:
        super().__init__("encoder")
        handle = ctypes.c_void_p()
        packed = _Packed(encoder)
        check(
            loaded().esr_encoder_create(ctypes.byref(packed.network), kernel.encode(), ctypes.byref(handle))
        )
        self._handle = handle
        self.kernel: str = loaded().esr_encoder_kernel(handle).decode()
        # The head is no Winograd convolution.
        floats = sum(one.levels is None for one in encoder.convolutions[1:])
        self.spare_columns = spare_columns(self.kernel, floats)
        self._maps, self._threads, self._bf16 = encoder.maps, max(1, threads), bf16_maps
        self._dtype = np.dtype(dtype)
        self._lender = Lender(np.uint16 if bf16_maps else np.float32)

    def encode(self, image: Array) -> Array:
        """Maps of ``1 x h x w x 3``, valid for as long as they are referred to; ``ShapeError`` for another image."""
        if image.ndim != 4 or image.shape[0] != 1 or image.shape[3] != 3 or image.dtype != self._dtype:
            found = f"{image.dtype} {image.shape}"
            raise ShapeError(
                f"expected an image as {self._dtype} 1 x h x w x 3, found {found}: check the graph contract"
            )
        picture = np.ascontiguousarray(image)
        maps = self._lender.lend((1, self._maps, *picture.shape[1:3]))
        request = self._request(picture, maps)
        check(self._calls.one(lambda: loaded().esr_encode(self._handle, ctypes.byref(request))))
        return maps

    def _request(self, image: Array, maps: Array) -> EncodeRequest:
        height, width = image.shape[1:3]
        floats = int(image.dtype == np.float32)
        return EncodeRequest(
            address(image), height, width, address(maps), floats, int(self._bf16), self._threads, 0
        )

    def _free(self, handle: ctypes.c_void_p) -> None:
        loaded().esr_encoder_destroy(handle)
