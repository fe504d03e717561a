"""Luma beyond the black and white of limited range, as in the highlights that camcorders put on tape.

RGB in [0, 1] has no place for it, so it passes by the network: it is enlarged linearly and put back onto the luma of
what the network makes.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.sizes import Box, Size
from edge_sr.video.frames.pixels import layout_of
from edge_sr.video.frames.planes import codes_type, read_plane, write_plane
from edge_sr.video.surfaces.read import is_on_gpu

if TYPE_CHECKING:
    import av

# Black and white of eight bits.
BLACK, WHITE = 16, 235
# swscale's bilinear and accurate_rnd, by number.
LINEAR = 0x2 | 0x40000
# What compression alone may put there (a share of the picture).
TRACE = 0.01
# As many as stay in a core's cache.
ROWS = 32
# Formats that have luma in the upper bits of two bytes.
_AT_TOP = ("p01", "p21", "p41")


def luma_beyond(frame: av.VideoFrame, depth: int) -> NDArray[np.int16] | None:
    """By how many codes of ``depth`` bits luma lies above white or, negative, below black: ``H x W``.

    None where all of it lies between them, and for frames without luma.
    """
    if frame.format.is_rgb or frame.format.has_palette:
        return None
    luma, own, shift = _luma(frame)
    if luma is None:
        return None
    black, white = BLACK << (own + shift - 8), WHITE << (own + shift - 8)
    if luma.min() >= black and luma.max() <= white:
        return None
    codes = luma.astype(np.int16 if luma.dtype.itemsize == 1 else np.int32)
    beyond: NDArray[np.int16] = codes - np.clip(codes, black, white)
    if depth != own + shift:
        beyond = np.rint(beyond * np.float32(2.0 ** (depth - own - shift)))
    return beyond.astype(np.int16, copy=False)


class Headroom:
    """What frames of luma have beyond, by the frame's number, until it is put back onto those of ``size``.

    ``box``: the part of them that is made; ``depth``: bits of their codes.
    """

    def __init__(self, size: Size, box: Box | None, depth: int) -> None:
        self._size, self._box = size, box
        self.depth = depth
        self._kept: dict[int, NDArray[np.int16]] = {}
        self._grey, self._zero = ("gray", 128) if depth == 8 else ("gray16le", 1 << 15)
        self._scaler: Any = None
        self._told = False

    def keep(self, index: int, beyond: NDArray[np.int16] | None) -> None:
        if beyond is not None:
            self._kept[index] = beyond

    def lose(self, frame: av.VideoFrame) -> None:
        """Warns, once, of a frame that has more than a trace beyond, where the network takes and gives YUV."""
        if self._told or is_on_gpu(frame):
            return
        beyond = luma_beyond(frame, 8)
        if beyond is not None and np.count_nonzero(beyond) > beyond.size * TRACE:
            self._told = True
            warnings.warn(
                "luma beyond black and white is lost on this GPU: --backend onnxruntime keeps it",
                stacklevel=2,
            )

    def restore(self, index: int, frame: av.VideoFrame) -> None:
        """Adds what was kept of frame ``index``, if anything, to the luma of what was made of it."""
        beyond = self._kept.pop(index, None)
        if beyond is not None:
            self.add(beyond, frame)

    def add(self, beyond: NDArray[np.int16], frame: av.VideoFrame) -> None:
        """Adds what ``luma_beyond`` found in a frame to the luma of what was made of it."""
        luma, own, shift = _luma(frame)
        if luma is None:
            return
        _add(luma, self._enlarged(beyond), self._zero, ((1 << own) - 1) << shift, shift)

    def _enlarged(self, beyond: NDArray[np.int16]) -> NDArray[Any]:
        """As codes of grey, where zero lies in the middle."""
        import av
        from av.video.reformatter import VideoReformatter

        self._scaler = self._scaler or VideoReformatter()
        dtype = codes_type(self.depth)
        small = av.VideoFrame(beyond.shape[1], beyond.shape[0], self._grey)
        write_plane(small.planes[0], beyond.astype(np.int32) + self._zero, dtype)
        # In several threads swscale writes over the rows where their slices meet.
        whole = self._scaler.reformat(
            small,
            width=self._size[0],
            height=self._size[1],
            format=self._grey,
            src_color_range=2,
            dst_color_range=2,
            interpolation=LINEAR,
            threads=1,
        )
        codes = read_plane(whole.planes[0], dtype, self._size[0])
        return codes if self._box is None else codes[self._box.slices]


def _add(luma: NDArray[Any], added: NDArray[Any], zero: int, top: int, shift: int) -> None:
    """Adds ``added``, whose ``zero`` lies in the middle; what would leave 0 to ``top`` is cut off.

    In luma's own unsigned codes and few rows at a time, which takes less than half as long as wider ones.
    """
    for start in range(0, len(luma), ROWS):
        codes, change = luma[start : start + ROWS], added[start : start + ROWS]
        up, down = np.maximum(change, zero) - zero, zero - np.minimum(change, zero)
        codes += np.minimum(up << shift if shift else up, top - codes)
        codes -= np.minimum(down << shift if shift else down, codes)


def _luma(frame: av.VideoFrame) -> tuple[NDArray[Any] | None, int, int]:
    """The codes of luma, which share the frame's memory where it has a plane of its own, their bits, and by how many
    bits they are shifted up; None for luma that is packed with alpha, or lies upside down."""
    first, *others = frame.format.components
    # PyAV reads planes that lie upside down beyond their end.
    upside_down = frame.planes[first.plane].line_size < 0
    if upside_down or any(component.plane == first.plane for component in others):
        layout = layout_of(frame.format)
        if layout.is_grey or frame.format.name == layout.name:
            return None, layout.depth, 0
        return _luma(frame.reformat(format=layout.name, threads=1))
    dtype = codes_type(first.bits, big_endian=frame.format.is_big_endian)
    shift = 16 - first.bits if frame.format.name.startswith(_AT_TOP) else 0
    return read_plane(frame.planes[first.plane], dtype, frame.width), first.bits, shift
