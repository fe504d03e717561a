"""Decoded frames to upright RGB of the film's shape, whatever a later part of the film was stored as."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from edge_sr.sizes import Size
from edge_sr.tensors import Frame
from edge_sr.video.film.info import FilmInfo
from edge_sr.video.orientation import Orientation, display_matrix, from_display_matrix
from edge_sr.video.pixels import Converter, ToRgb
from edge_sr.video.tonemap import ToneMap

if TYPE_CHECKING:
    import av

# Shapes that differ by less than this are one shape, rounded (of the ratio of width to height).
ALIKE = Fraction(1, 50)


class UprightReader:
    """Frames to RGB, turned as each says; one of another size, shape or format than the first is fitted in.

    ``largest``: a frame of the film's shape up to this size, ``(width, height)``, stays as it is, None to have all
    in the first one's size. A frame of another shape, as where a phone was turned, gets black bars.
    """

    def __init__(self, info: FilmInfo, largest: Size | None) -> None:
        self._info = info
        self._largest = largest
        self._to_rgb = ToRgb(info.colour, info.layout)
        self._tone_map = ToneMap(info.colour.transfer, info.hdr.peak) if info.tone_map else None
        self._convert = Converter(info.colour)
        self._format: str | None = None

    def __call__(self, image: av.VideoFrame) -> Frame:
        if self._format is None:
            self._format = image.format.name
        if image.format.name != self._format:
            image = self._convert(image, self._format)
        orientation = self._orientation(image)
        shown = orientation.displayed(image.width, image.height)
        if not _alike(shown, self._info.size):
            inner = fitted(shown, self._info.size)
            return with_bars(self._upright(image, orientation, inner), self._info.size)
        return self._upright(image, orientation, None if self._stays(shown) else self._info.size)

    def _upright(self, image: av.VideoFrame, orientation: Orientation, size: Size | None) -> Frame:
        """The frame as it is shown, scaled to ``size`` if that is given."""
        stored = None if size is None else orientation.displayed(*size)
        pixels = self._to_rgb(image, stored)
        return orientation.apply(pixels if self._tone_map is None else self._tone_map(pixels))

    def _orientation(self, image: av.VideoFrame) -> Orientation:
        matrix = display_matrix(image)
        return self._info.orientation if matrix is None else from_display_matrix(matrix)

    def _stays(self, shown: Size) -> bool:
        if shown == self._info.size:
            return True
        largest = self._largest
        return largest is not None and shown[0] <= largest[0] and shown[1] <= largest[1]


def _alike(one: Size, other: Size) -> bool:
    return abs(Fraction(one[0] * other[1], one[1] * other[0]) - 1) < ALIKE


def fitted(size: Size, room: Size) -> Size:
    """The largest size of the same shape that fits into ``room``, at least a pixel each way."""
    scale = min(Fraction(room[0], size[0]), Fraction(room[1], size[1]))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def with_bars(pixels: Frame, size: Size) -> Frame:
    """The picture in the middle of a black one of ``size``."""
    whole = np.zeros((size[1], size[0], 3), pixels.dtype)
    top, left = (size[1] - pixels.shape[0]) // 2, (size[0] - pixels.shape[1]) // 2
    whole[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return whole
