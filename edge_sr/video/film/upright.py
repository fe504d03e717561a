"""Decoded frames to upright RGB of the film's shape, whatever a later part of the film was stored as.

On their way to a network that takes YUV, those that need nothing done to them stay YUV, and on a GPU where they are
there already.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError
from edge_sr.sizes import Size
from edge_sr.tensors import Frame
from edge_sr.video.film.info import FilmInfo
from edge_sr.video.film.pixel_aspects import marked_aspect
from edge_sr.video.frames.codes import CODE_DEPTHS, read_codes
from edge_sr.video.frames.colour import Colour, read_matrix
from edge_sr.video.frames.headroom import luma_beyond
from edge_sr.video.frames.orientation import UPRIGHT, Orientation, display_matrix, from_display_matrix
from edge_sr.video.frames.pixels import Converter, FromRgb, PixelLayout, ToRgb
from edge_sr.video.frames.siting import LEFT, TOPLEFT, read_siting
from edge_sr.video.frames.tonemap import ToneMap
from edge_sr.video.shape import Shape, fitted
from edge_sr.video.surfaces.read import is_on_gpu, on_host, stored_format, surface_of
from edge_sr.yuv import YuvColour, YuvColours, YuvFrame

if TYPE_CHECKING:
    import av

# Shapes that differ by less than this are one shape, rounded (of the ratio of width to height).
ALIKE = Fraction(1, 50)
# Layouts of NV12 and P010.
KEPT = (PixelLayout(8, "420"), PixelLayout(10, "420"))


class FrameColours:
    """How the colours of each frame are stored, where a film's later parts say otherwise than its first.

    Primaries and transfer are the film's; so is all of a frame whose matrix cannot be converted.
    """

    def __init__(self, films: Colour) -> None:
        self._films = films
        self._known: dict[tuple[object, ...], Colour] = {}

    def __call__(self, frame: av.VideoFrame) -> Colour:
        said = (int(frame.colorspace), int(frame.color_range), int(frame.color_trc))
        stored = (stored_format(frame), frame.width, frame.height)
        if (*said, *stored) not in self._known:
            self._known[(*said, *stored)] = self._read(frame)
        return self._known[(*said, *stored)]

    def _read(self, frame: av.VideoFrame) -> Colour:
        try:
            matrix, full, _ = read_matrix(frame)
        except MediaError:
            return self._films
        # Where chroma lies only the pixels tell: those on a GPU stay there.
        siting = self._films.siting if is_on_gpu(frame) else read_siting(frame, full_range=full)
        return dataclasses.replace(self._films, matrix=matrix, full_range=full, siting=siting)


class UprightReader:
    """Frames to RGB, with alpha where the film keeps it, turned as each says.

    One of another size, shape, format, matrix or range than the first is fitted in.

    ``yuv``: frames that are upright and of even sizes stay YUV, of these colours; ``to_surface``: so that what is made
    of them stays on the GPU.

    ``largest``: a frame of the film's shape up to this size, ``(width, height)``, stays as it is, None to have all
    in the first one's size. A frame of another shape, as where a phone was turned, gets black bars.
    """

    def __init__(
        self,
        info: FilmInfo,
        largest: Size | None,
        yuv: YuvColours | None = None,
        *,
        to_surface: bool = False,
    ) -> None:
        self._info = info
        self._yuv, self._to_surface = yuv, to_surface
        self._largest = largest
        self._colours = FrameColours(info.colour)
        self._readers: dict[Colour, ToRgb] = {}
        self._converters: dict[Colour, Converter] = {}
        self._tone_map = ToneMap(info.colour.transfer, info.hdr.peak) if info.tone_map else None
        self._format: str | None = None

    def __call__(self, image: av.VideoFrame) -> Frame | YuvFrame:
        colour, aspect = self._colours(image), marked_aspect(image)
        if self._format is None:
            self._format = stored_format(image)
        if stored_format(image) != self._format:
            image = self._converter(colour)(on_host(image), self._format)
        orientation = shown_orientation(self._info, image)
        shown = orientation.displayed(image.width, image.height)
        is_alike = _alike(self._shape(shown, aspect, orientation), self._info.size)
        stays = is_alike and self._stays(shown) and orientation == UPRIGHT
        if self._yuv is not None and stays and colour == self._info.colour and self._in_codes(image):
            codes = surface_of(image) if is_on_gpu(image) else read_codes(image)
            return YuvFrame(codes, self._yuv, self._to_surface)
        image = on_host(image)
        if not is_alike:
            inner = fitted(self._shape(shown, aspect, orientation), self._info.size)
            return with_bars(self._upright(image, colour, orientation, inner), self._info.size)
        return self._upright(image, colour, orientation, None if self._stays(shown) else self._info.size)

    def luma_beyond(self, image: av.VideoFrame, depth: int) -> NDArray[np.int16] | None:
        """What the frame has of luma that RGB has no place for, turned upright, in codes of ``depth`` bits; None where
        it has none, or is tone-mapped, or gets bars."""
        colour = self._colours(image)
        if colour.full_range or self._tone_map is not None or is_on_gpu(image):
            return None
        beyond = luma_beyond(image, depth)
        if beyond is None:
            return None
        orientation = shown_orientation(self._info, image)
        shown = orientation.displayed(image.width, image.height)
        if not _alike(self._shape(shown, marked_aspect(image), orientation), self._info.size):
            return None
        return orientation.apply(beyond)

    def _upright(
        self, image: av.VideoFrame, colour: Colour, orientation: Orientation, size: Size | None
    ) -> Frame:
        """The frame as it is shown, scaled to ``size`` if that is given."""
        stored = None if size is None else orientation.displayed(*size)
        pixels = self._reader(colour)(image, stored)
        if self._tone_map is not None:
            pixels[..., :3] = self._tone_map(pixels[..., :3])
        return orientation.apply(pixels)

    def _reader(self, colour: Colour) -> ToRgb:
        if colour not in self._readers:
            self._readers[colour] = ToRgb(colour, self._info.layout, keep_alpha=self._info.keeps_alpha)
        return self._readers[colour]

    def _converter(self, colour: Colour) -> Converter:
        if colour not in self._converters:
            self._converters[colour] = Converter(colour)
        return self._converters[colour]

    def _shape(self, shown: Size, aspect: Fraction | None, orientation: Orientation) -> Shape:
        """Width and height in pixels as wide as the film's first ones, of which the film's size counts."""
        first = self._info.coded_aspect
        if aspect is None or first is None:
            return Fraction(shown[0]), Fraction(shown[1])
        wider = _turned(aspect, orientation) / _turned(first, self._info.orientation)
        return shown[0] * wider, Fraction(shown[1])

    def _in_codes(self, image: av.VideoFrame) -> bool:
        whole = image.width % 2 == image.height % 2 == 0 and not image.interlaced_frame
        return whole and CODE_DEPTHS.get(stored_format(image)) == self._info.layout.depth

    def _stays(self, shown: Size) -> bool:
        if shown == self._info.size:
            return True
        largest = self._largest
        return largest is not None and shown[0] <= largest[0] and shown[1] <= largest[1]


def shown_orientation(info: FilmInfo, image: av.VideoFrame) -> Orientation:
    """The frame's own where it states one, else the film's."""
    matrix = display_matrix(image)
    return info.orientation if matrix is None else from_display_matrix(matrix)


def yuv_colours(info: FilmInfo, to_yuv: object) -> YuvColours | None:
    """The colours of a film's YUV and of what ``to_yuv`` makes; None for a film that has to be RGB in between.

    It does not where its layout stays as it is and is one that a GPU's video units have, and chroma lies where they
    have it.
    """
    if not isinstance(to_yuv, FromRgb) or info.tone_map or info.layout != to_yuv.layout:
        return None
    if info.layout not in KEPT or not {info.colour.siting, to_yuv.colour.siting} <= {LEFT, TOPLEFT}:
        return None
    return YuvColours(*(_yuv_colour(colour) for colour in (info.colour, to_yuv.colour)))


def _yuv_colour(colour: Colour) -> YuvColour:
    return YuvColour(colour.luma_weights, colour.full_range, colour.siting == TOPLEFT)


def _turned(aspect: Fraction, orientation: Orientation) -> Fraction:
    return 1 / aspect if orientation.transpose else aspect


def _alike(one: Shape, other: Size) -> bool:
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) < ALIKE


def with_bars(pixels: Frame, size: Size) -> Frame:
    """The picture in the middle of a black one of ``size``, transparent where the picture has alpha."""
    whole = np.zeros((size[1], size[0], pixels.shape[2]), pixels.dtype)
    top, left = (size[1] - pixels.shape[0]) // 2, (size[0] - pixels.shape[1]) // 2
    whole[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return whole
