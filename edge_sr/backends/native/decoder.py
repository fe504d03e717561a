"""The project's own CPU decoder: a C++ library behind a plain C interface, called through ctypes.

Calls release the GIL, start their own threads and join them before they return: nothing outlives a call, and
a process may fork between calls.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.native.calls import NativePart
from edge_sr.backends.native.kernels import BF16_KERNELS
from edge_sr.backends.native.library import (
    DecodeCall,
    Network,
    address,
    check,
    loaded,
    need_kernel,
)
from edge_sr.errors import BundleError, ShapeError

Array = NDArray[Any]
# The library's, of native/src/decoder/packing.cpp.
MAX_LAYERS, MAX_WIDTH = 64, 4096


def fits(widths: Sequence[int]) -> bool:
    """Whether the library has room for a decoder's layers."""
    return len(widths) <= MAX_LAYERS and max(widths) <= MAX_WIDTH


class _Weights:
    """A decoder's float32 weights, checked, and kept alive while C reads them."""

    def __init__(self, weights: Mapping[str, Array], widths: Sequence[int], mode: int) -> None:
        self._weights = weights
        inputs = [3, *widths]
        layers = range(len(widths))
        self.widths = np.asarray(widths, dtype=np.int32)
        self.synthesis = [self._take(f"synthesis.{i}.weight", (widths[i], inputs[i])) for i in layers]
        self.bias = [self._take(f"synthesis.{i}.bias", (widths[i],)) for i in layers]
        modulated = [i for i in layers if mode == 3 and i > 0]
        shapes = {i: (widths[i], widths[i - 1]) for i in modulated}
        self.modulation = [
            self._take(f"modulation.{i}.weight", shapes[i]) if i in shapes else None for i in layers
        ]
        self.last = self._take("last.weight", (3, widths[-1]))
        self.last_bias = self._take("last.bias", (3,))

    def _take(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        if name not in self._weights:
            raise BundleError(f"expected decoder weights {name}, found none: export the bundle again")
        array = np.ascontiguousarray(self._weights[name], dtype=np.float32)
        if array.shape != shape:
            raise BundleError(
                f"expected {name} of shape {shape}, found {array.shape}: export the bundle again"
            )
        if not np.isfinite(array).all():
            raise BundleError(
                f"expected finite decoder weights, found others in {name}: export the bundle again"
            )
        return array


def _pointers(arrays: Sequence[Array | None]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(arrays))(*[address(array) for array in arrays])


def _create(weights: _Weights, mode: int, bilinear_base: bool, kernel: str) -> ctypes.c_void_p:
    tables = [_pointers(part) for part in (weights.synthesis, weights.bias, weights.modulation)]
    network = Network(
        mode,
        len(weights.widths),
        address(weights.widths),
        *[ctypes.addressof(table) for table in tables],
        address(weights.last),
        address(weights.last_bias),
        int(bilinear_base),
    )
    handle = ctypes.c_void_p()
    check(loaded().esr_decoder_create(ctypes.byref(network), kernel.encode(), ctypes.byref(handle)))
    return handle


class _Call:
    """The arguments of one decode, checked, contiguous, and kept alive while C reads them."""

    def __init__(
        self, decoder: NativeDecoder, maps: Array, image: Array | None, grid: Sequence[Array]
    ) -> None:
        bf16 = maps.dtype == np.uint16 and decoder.kernel in BF16_KERNELS
        stored = np.uint16 if bf16 else np.float32
        self.maps = _contiguous("maps", maps, stored, (1, decoder.channels, None, None))
        size = self.maps.shape[2:]
        self.image = _picture("image", image, (1, *size, 3)) if decoder.bilinear_base else None
        self.rows, self.cols = (
            _indices(name, a, n) for name, a, n in zip(("rows", "cols"), grid, size, strict=False)
        )
        self.offset_y = _offsets("offset_y", grid[2], self.rows.size)
        self.offset_x = _offsets("offset_x", grid[3], self.cols.size)

    def target(self, out: Array | None, dtype: Any) -> Array:
        """``out`` when it fits, else a new array of the picture's type."""
        shape = (1, self.rows.size, self.cols.size, 3)
        if out is None:
            return np.empty(shape, dtype=self.image.dtype if self.image is not None else dtype)
        if not (out.flags.c_contiguous and out.flags.writeable):
            raise ShapeError("expected a contiguous, writeable out, found another: pass np.empty(shape)")
        if self.image is not None and out.dtype != self.image.dtype:
            raise ShapeError(
                f"expected out of the image's type {self.image.dtype}, found {out.dtype}: pass another"
            )
        return _picture("out", out, shape)

    def request(self, ratio: float, out: Array, threads: int) -> DecodeCall:
        """The call as C reads it."""
        _, channels, height, width = self.maps.shape
        return DecodeCall(
            address(self.maps),
            channels,
            height,
            width,
            address(self.image),
            address(self.rows),
            address(self.cols),
            address(self.offset_y),
            address(self.offset_x),
            ratio,
            self.rows.size,
            self.cols.size,
            address(out),
            int(out.dtype == np.float32),
            threads,
            int(self.maps.dtype == np.uint16),
        )


def _contiguous(name: str, array: Array, dtype: Any, shape: tuple[int | None, ...]) -> Array:
    fits = len(shape) == array.ndim and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if not fits or array.dtype != dtype or not array.size:
        found = f"{array.dtype} {array.shape}"
        raise ShapeError(
            f"expected {name} as {np.dtype(dtype)} {shape}, found {found}: "
            + ("decode by the Upscaler that encoded" if name == "maps" else "check the graph contract")
        )
    return np.ascontiguousarray(array)


def _picture(name: str, array: Array | None, shape: tuple[int, ...]) -> Array:
    if array is None:
        raise ShapeError(f"expected {name} for the bilinear base, found none: pass the LR picture")
    return _contiguous(name, array, np.float32 if array.dtype == np.float32 else np.uint8, shape)


def _indices(name: str, array: Array, length: int) -> Array:
    checked = _contiguous(name, array, np.int32, (None,))
    if checked.min() < 0 or checked.max() >= length:
        raise ShapeError(f"expected {name} within 0..{length - 1}, found {checked.min()}..{checked.max()}")
    return checked


def _offsets(name: str, array: Array, count: int) -> Array:
    checked = _contiguous(name, np.reshape(array, -1), np.float32, (count,))
    if not (np.abs(checked) <= 1.001).all():
        raise ShapeError(f"expected {name} within -1..1, found others: see the graph contract")
    return checked


class NativeDecoder(NativePart):
    """A network's decoder, packed for one kernel; use as a context manager or call ``close``.

    ``weights``, float32: ``synthesis.{i}.weight`` (D_i, inputs), ``synthesis.{i}.bias``, in mode 3
    ``modulation.{i}.weight`` (D_i, D_{i-1}) for i >= 1, ``last.weight`` (3, D), ``last.bias``. Modes 1, 2 and
    3 (DIINN's split form). ``kernel``: ``auto`` (the fastest exact one) or a name from ``kernels()``. Several
    threads may decode at once; ``close`` waits for them, and decoding afterwards raises ``LifetimeError``.
    Raises ``MissingError`` without the library, ``BundleError`` for weights that do not fit the description and for
    widths that do not fit the library.
    """

    def __init__(
        self,
        weights: Mapping[str, Array],
        widths: Sequence[int],
        mode: int,
        bilinear_base: bool,
        threads: int = 1,
        kernel: str = "auto",
    ) -> None:
        super().__init__("decoder")
        need_kernel(kernel)
        if mode not in (1, 2, 3) or not widths:
            raise BundleError(
                f"expected a decoder of mode 1, 2 or 3 with a layer, found mode {mode}, {widths}"
            )
        self.threads = max(1, threads)
        self.channels = sum(widths)
        self.bilinear_base = bilinear_base
        self._handle = _create(_Weights(weights, widths, mode), mode, bilinear_base, kernel)
        self.kernel: str = loaded().esr_decoder_kernel(self._handle).decode()

    def decode(
        self,
        maps: NDArray[np.float32],
        image: Array | None,
        rows: NDArray[np.int32],
        cols: NDArray[np.int32],
        offset_y: NDArray[np.float32],
        offset_x: NDArray[np.float32],
        ratio: NDArray[np.float32] | float,
        out: Array | None = None,
        *,
        dtype: Any = np.uint8,
    ) -> Array:
        """One rectangle of the output, ``1 x Ht x Wt x 3``, RGB; written to ``out`` when that is given.

        ``maps``: float32, ``1 x C x h x w``, or the bits of bfloat16 as uint16 for a kernel of ``BF16_KERNELS``.
        ``image``: ``1 x h x w x 3``, uint8 or float32 in [0, 1], needed
        with a bilinear base only. ``rows`` (Ht) and ``cols`` (Wt) index ``maps``; offsets in half LR pixels,
        of Ht and Wt elements in any shape. The result is uint8 or float32 in [0, 1], as ``out``, ``image``
        or, lacking both, ``dtype`` is. Raises ``ShapeError`` when arrays do not fit each other, ``LifetimeError``
        once the decoder was closed.
        """
        call = _Call(self, maps, image, (rows, cols, offset_y, offset_x))
        result = call.target(out, dtype)
        request = call.request(float(np.asarray(ratio).reshape(-1)[0]), result, self.threads)
        check(self._calls.one(lambda: loaded().esr_decode(self._handle, ctypes.byref(request))))
        return result

    def _free(self, handle: ctypes.c_void_p) -> None:
        loaded().esr_decoder_destroy(handle)
