"""The shared library of the native encoder and decoder: found, loaded, and its C interface declared.

It lies beside this file as ``_native.so`` when it was built; without it everything else still works and
``why_not`` says what is missing.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edge_sr.errors import BundleError, MemoryLimitError, MissingError, ShapeError, UnknownNameError

ABI_VERSION = 5
BUILD_HINT = "install a C++17 compiler and reinstall edge-sr, or see docs/concepts/native.md"

Array = NDArray[Any]


class Network(ctypes.Structure):
    _fields_ = [
        ("mode", ctypes.c_int32),
        ("layers", ctypes.c_int32),
        ("widths", ctypes.c_void_p),
        ("synthesis_weight", ctypes.c_void_p),
        ("synthesis_bias", ctypes.c_void_p),
        ("modulation_weight", ctypes.c_void_p),
        ("last_weight", ctypes.c_void_p),
        ("last_bias", ctypes.c_void_p),
        ("bilinear_base", ctypes.c_int32),
    ]


class DecodeCall(ctypes.Structure):
    _fields_ = [
        ("maps", ctypes.c_void_p),
        ("channels", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("image", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("cols", ctypes.c_void_p),
        ("offset_y", ctypes.c_void_p),
        ("offset_x", ctypes.c_void_p),
        ("ratio", ctypes.c_float),
        ("out_height", ctypes.c_int32),
        ("out_width", ctypes.c_int32),
        ("out", ctypes.c_void_p),
        ("float_pictures", ctypes.c_int32),
        ("threads", ctypes.c_int32),
        ("bf16_maps", ctypes.c_int32),
    ]


class EncoderConvolution(ctypes.Structure):
    _fields_ = [
        ("inputs", ctypes.c_int32),
        ("outputs", ctypes.c_int32),
        ("weight", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("levels", ctypes.c_void_p),
        ("level_scale", ctypes.c_void_p),
        ("bias_levels", ctypes.c_void_p),
        ("input_scale", ctypes.c_float),
        ("input_zero", ctypes.c_int32),
        ("relu", ctypes.c_int32),
        ("input_range", ctypes.c_float),
    ]


class EncoderNetwork(ctypes.Structure):
    _fields_ = [
        ("channels", ctypes.c_int32),
        ("blocks", ctypes.c_int32),
        ("contents", ctypes.c_int32),
        ("convolutions", ctypes.c_void_p),
    ]


class EncodeRequest(ctypes.Structure):
    _fields_ = [
        ("image", ctypes.c_void_p),
        ("height", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("maps", ctypes.c_void_p),
        ("float_pictures", ctypes.c_int32),
        ("bf16_maps", ctypes.c_int32),
        ("threads", ctypes.c_int32),
        ("depth", ctypes.c_int32),
    ]


class TrainingForm(ctypes.Structure):
    _fields_ = [
        ("channels", ctypes.c_int32),
        ("blocks", ctypes.c_int32),
        ("layers", ctypes.c_int32),
        ("widths", ctypes.c_void_p),
        ("batch", ctypes.c_int32),
        ("patch", ctypes.c_int32),
        ("samples", ctypes.c_int32),
        ("threads", ctypes.c_int32),
    ]


class TrainingBatch(ctypes.Structure):
    _fields_ = [
        ("low", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("target", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("ratio", ctypes.c_float),
        ("luma_share", ctypes.c_float),
        ("floor", ctypes.c_float),
        ("absolute", ctypes.c_int32),
    ]


def library_path() -> Path:
    """Where the built library is looked for."""
    return Path(__file__).with_name("_native.dll" if sys.platform == "win32" else "_native.so")


@functools.cache
def _load() -> ctypes.CDLL | str:
    """The library, or one line saying why there is none."""
    path = library_path()
    if not path.is_file():
        return f"the native library was not built: {BUILD_HINT}"
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        return f"the native library cannot be loaded ({error}): {BUILD_HINT}"
    if library.esr_abi_version() != ABI_VERSION:
        return f"the native library is of another version than this package: {BUILD_HINT}"
    _declare(library)
    return library


def _declare(library: ctypes.CDLL) -> None:
    library.esr_kernels.restype = ctypes.c_char_p
    library.esr_decoder_kernel.restype = ctypes.c_char_p
    library.esr_decoder_kernel.argtypes = [ctypes.c_void_p]
    library.esr_decoder_destroy.restype = None
    library.esr_decoder_destroy.argtypes = [ctypes.c_void_p]
    library.esr_decoder_create.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    library.esr_decode.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.esr_encoder_kernels.restype = ctypes.c_char_p
    library.esr_encoder_kernel.restype = ctypes.c_char_p
    library.esr_encoder_kernel.argtypes = [ctypes.c_void_p]
    library.esr_encoder_destroy.restype = None
    library.esr_encoder_destroy.argtypes = [ctypes.c_void_p]
    library.esr_encoder_create.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    library.esr_encode.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.esr_peak.restype = ctypes.c_double
    library.esr_peak.argtypes = [ctypes.c_char_p, ctypes.c_int32, ctypes.c_int32, ctypes.c_double]
    library.esr_trainer_create.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.esr_trainer_destroy.restype = None
    library.esr_trainer_destroy.argtypes = [ctypes.c_void_p]
    library.esr_train.argtypes = [ctypes.c_void_p] * 5


def loaded() -> ctypes.CDLL:
    library = _load()
    if isinstance(library, str):
        raise MissingError(library)
    return library


def available() -> bool:
    """Whether the library was built and loads on this machine."""
    return not isinstance(_load(), str)


def why_not() -> str:
    """Why ``available`` is false, in one line; empty when it is true."""
    library = _load()
    return library if isinstance(library, str) else ""


def kernels() -> list[str]:
    """The decoder's kernels that this processor runs, the fastest exact one first; empty without the library."""
    library = _load()
    return [] if isinstance(library, str) else library.esr_kernels().decode().split()


def encoder_kernels() -> list[str]:
    """As ``kernels``, the encoder's."""
    library = _load()
    return [] if isinstance(library, str) else library.esr_encoder_kernels().decode().split()


def peak(kernel: str, int8: bool, threads: int, seconds: float) -> float:
    """Operations a second, in 10^9, of an encoder kernel's own multiply-adds on registers; 0 for one not here."""
    return float(loaded().esr_peak(kernel.encode(), int(int8), threads, seconds))


def fast_bf16_dots() -> bool:
    """Whether AVX512-BF16's dot products multiply faster here than float32 does, by the processor's make."""
    return bool(loaded().esr_fast_bf16_dots())


def need_kernel(name: str) -> None:
    loaded()
    if name != "auto" and name not in kernels():
        raise UnknownNameError(f"expected a native kernel among auto, {', '.join(kernels())}, found {name}")


def address(array: Array | None) -> int | None:
    return None if array is None else int(array.ctypes.data)


def check(status: int) -> None:
    """Raises what a status of the C interface stands for."""
    if status == 0:
        return
    if status == 1:
        raise BundleError("the native library does not run a network of this form; use --backend onnxruntime")
    if status == 4:
        raise MemoryLimitError("the native library needs more memory than there is: use smaller tiles")
    raise ShapeError(f"the native library refused its arguments (status {status}): check sizes and indices")
