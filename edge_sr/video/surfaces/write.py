"""Surfaces as frames that FFmpeg's encoders for the GPU take, by way of DLPack; nothing is copied.

https://dmlc.github.io/dlpack/latest/c_api.html describes the structures.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
from typing import TYPE_CHECKING, Any

from edge_sr.video.surfaces.read import tells_surfaces
from edge_sr.yuv import Surface

if TYPE_CHECKING:
    import av

CUDA, UNSIGNED = 2, 1


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("byte_offset", ctypes.c_uint64),
    )


class _ManagedTensor(ctypes.Structure):
    _fields_ = (("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


# What tensors in use refer to, by the number in their context.
_held: dict[int, Any] = {}
_numbers = itertools.count(1)


def _let_go(tensor: Any) -> None:
    _held.pop(tensor.contents.context, None)


_released = ctypes.CFUNCTYPE(None, ctypes.POINTER(_ManagedTensor))(_let_go)
# FFmpeg may call it when the interpreter has ended and cleared this module: it is never freed.
ctypes.pythonapi.Py_IncRef(ctypes.py_object(_released))


def frame_of(surface: Surface) -> av.VideoFrame:
    """The surface as a frame in CUDA's memory, NV12 or P010, which keeps it for as long as FFmpeg does.

    Raises FFmpeg's error where it does not take the GPU's primary context.
    """
    import av

    width, height = surface.width, surface.height
    planes = (
        _Plane(surface.luma, surface.luma_pitch, (height, width), surface),
        _Plane(surface.chroma, surface.chroma_pitch, (height // 2, width), surface),
    )
    name = "nv12" if surface.depth == 8 else "p010le"
    frame: av.VideoFrame = av.VideoFrame.from_dlpack(planes, format=name, cuda_context=_context())
    return frame


@functools.cache
def why_not() -> str:
    """Why FFmpeg makes no frames of surfaces here; nothing where it does."""
    import av

    if not tells_surfaces():
        return "that takes PyAV 18"
    try:
        # Nothing of it is touched.
        frame_of(Surface(1 << 20, 1 << 21, 256, 256, 64, 64, 8))
    except (av.error.FFmpegError, OSError) as error:
        return f"FFmpeg says: {error}"
    return ""


@functools.cache
def _context() -> Any:
    """FFmpeg's hold on the GPU's primary context, which the kernels run in too."""
    from av.video.frame import CudaContext

    return CudaContext(device_id=0, primary_ctx=True)


class _Plane:
    """Rows of one plane as a tensor of two axes."""

    def __init__(self, address: int, pitch: int, shape: tuple[int, int], surface: Surface) -> None:
        self._address, self._pitch, self._shape, self._surface = address, pitch, shape, surface

    def __dlpack__(self, stream: int | None = None) -> Any:
        number, item = next(_numbers), self._surface.dtype.itemsize
        shape = (ctypes.c_int64 * 2)(*self._shape)
        strides = (ctypes.c_int64 * 2)(self._pitch // item, 1)
        tensor = _ManagedTensor(
            _Tensor(
                *(self._address, CUDA, 0, 2, UNSIGNED, 8 * item, 1),
                *(ctypes.addressof(shape), ctypes.addressof(strides), 0),
            ),
            number,
            ctypes.cast(_released, ctypes.c_void_p),
        )
        _held[number] = (tensor, shape, strides, self._surface)
        return _capsule(ctypes.addressof(tensor))


def _capsule(address: int) -> Any:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return new(address, b"dltensor", None)
