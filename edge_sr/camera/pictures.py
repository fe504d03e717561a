"""Live frames to RGB and back, whatever changes on the way: size, format, colour, orientation."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.sizes import Size
from edge_sr.video.film.upright import with_bars
from edge_sr.video.frames.colour import BT2020, UNSPECIFIED, Colour, guessed_matrix, read_colour, tag_colours
from edge_sr.video.frames.headroom import Headroom, luma_beyond
from edge_sr.video.frames.orientation import frame_orientation
from edge_sr.video.frames.pixels import Converter, PixelLayout, ToRgb, layout_of
from edge_sr.video.frames.siting import LEFT
from edge_sr.video.shape import fitted

if TYPE_CHECKING:
    import av

Picture = NDArray[np.uint8]
Beyond = NDArray[np.int16]

# Live frames run through the uint8 graphs whatever their depth: time is what is short.
EIGHT_BITS = PixelLayout(8, "420")


class RgbReader:
    """Decoded frames to upright RGB, uint8 ``H x W x 3``."""

    def __init__(self) -> None:
        self._shape: tuple[Any, ...] = ()
        self._convert: ToRgb | None = None
        self._full_range = False

    def __call__(self, frame: av.VideoFrame, most: Size | None = None) -> Picture:
        """The frame's pixels; one larger than ``most`` is shrunk to it, keeping its shape."""
        shape = (
            frame.width,
            frame.height,
            frame.format.name,
            frame.colorspace,
            frame.color_trc,
            frame.color_range,
        )
        if self._convert is None or shape != self._shape:
            colour = read_colour(frame)[0]
            self._convert, self._shape = ToRgb(colour, _layout_for(frame, colour)), shape
            self._full_range = colour.full_range
        turn = frame_orientation(frame)
        size = None if most is None else _shrunk((frame.width, frame.height), turn.displayed(*most))
        return turn.apply(_in_bytes(self._convert(frame, size)))

    def luma_beyond(self, frame: av.VideoFrame) -> Beyond | None:
        """What the frame that was read last has of luma that RGB has no place for, upright; None where nothing."""
        beyond = None if self._full_range else luma_beyond(frame, EIGHT_BITS.depth)
        return None if beyond is None else frame_orientation(frame).apply(beyond)


def _layout_for(frame: av.VideoFrame, colour: Colour) -> PixelLayout:
    """As what the frame is read: of deep codes in full range swscale drops the lower bits, and so errs by a level."""
    own = dataclasses.replace(layout_of(frame.format), has_alpha=False)
    if own.depth > EIGHT_BITS.depth and (own.is_rgb or colour.full_range):
        return own
    return dataclasses.replace(EIGHT_BITS, is_grey=own.is_grey)


def _in_bytes(pixels: NDArray[Any]) -> Picture:
    if pixels.dtype == np.uint8:
        return pixels
    return np.rint(pixels * np.float32(255)).astype(np.uint8)


def _shrunk(size: Size, most: Size) -> Size | None:
    if size[0] <= most[0] and size[1] <= most[1]:
        return None
    return fitted(size, most)


def sink_colour(size: Size, siting: str = LEFT, source: Colour | None = None) -> Colour:
    """The colours of pictures for a sink: primaries and transfer are the source's, for RGB is not converted.

    The matrix is what players assume for ``size``, as not every sink can say another, but that of BT.2020 and HDR
    stays.
    """
    if source is None:
        return Colour(guessed_matrix(*size), False, UNSPECIFIED, UNSPECIFIED, siting)
    keeps = source.is_hdr or source.matrix == BT2020
    matrix = source.matrix if keeps else guessed_matrix(*size)
    return Colour(matrix, False, source.primaries, source.transfer, siting)


class FrameMaker:
    """RGB pictures to ``yuv420p`` frames of one ``size``, with bars where shapes differ; swscale scales."""

    def __init__(self, size: Size, colour: Colour) -> None:
        self.size = size
        self._colour = colour
        self._convert = Converter(colour)
        self._headroom = Headroom(size, None, EIGHT_BITS.depth)

    def __call__(self, picture: Picture, inner: Size, beyond: Beyond | None = None) -> av.VideoFrame:
        """``picture`` at ``inner`` pixels, in the middle of the frame; ``beyond``: luma that goes on top of it, unless
        it has bars."""
        import av

        source = av.VideoFrame.from_ndarray(picture, format="rgb24")
        if inner != self.size:
            scaled = self._convert(source, "rgb24", from_full=True, to_full=True, size=inner)
            source = av.VideoFrame.from_ndarray(with_bars(scaled.to_ndarray(), self.size), format="rgb24")
        frame = self._convert(source, "yuv420p", from_full=True, size=self.size)
        if beyond is not None and inner == self.size:
            self._headroom.add(beyond, frame)
        tag_colours(frame, self._colour)
        return frame
