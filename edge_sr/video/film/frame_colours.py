"""Colours of a film that changes them on its way, as a broadcast does from one programme to the next."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from edge_sr.errors import MediaError
from edge_sr.video.frames.colour import Colour, read_matrix
from edge_sr.video.frames.siting import read_siting
from edge_sr.video.surfaces.read import is_on_gpu, stored_format

if TYPE_CHECKING:
    import av


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
