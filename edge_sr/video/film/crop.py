"""The edges of a picture that its container has players leave out: Matroska's PixelCrop, MP4's clean aperture.

PyAV hands on neither, so they are read from the file's header (IETF RFC 9559; ISO/IEC 14496-12, 12.1.4).
"""

from __future__ import annotations

import dataclasses
import re
import struct
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edge_sr.sizes import Box, Size
from edge_sr.tensors import SMALLEST_SIDE
from edge_sr.video.boxes import boxes
from edge_sr.video.film.headers import header_of
from edge_sr.video.film.matroska import EBML, SEGMENT, TRACK, TRACKS, VIDEO, elements
from edge_sr.video.frames.filtering import FrameFilter
from edge_sr.video.surfaces.read import on_host

if TYPE_CHECKING:
    import av

# PixelCropLeft, -Top, -Right and -Bottom.
_EDGES = (b"\x54\xcc", b"\x54\xbb", b"\x54\xdd", b"\x54\xaa")
_APERTURE = re.compile(rb"\x00\x00\x00\x28clap(.{32})", re.DOTALL)
# So many pixels have whole ones of chroma in any format.
UNIT = 16


class Crop(Protocol):
    """What is shown of a frame."""

    def box(self, size: Size) -> Box:
        """The part of a frame of ``size``, ``(width, height)``, that is shown."""


@dataclasses.dataclass(frozen=True)
class Edges:
    """So many pixels of each side are left out."""

    left: int
    top: int
    right: int
    bottom: int

    def box(self, size: Size) -> Box:
        return Box(self.left, self.top, size[0] - self.right, size[1] - self.bottom)


@dataclasses.dataclass(frozen=True)
class Aperture:
    """So large a part is shown, its centre so far right and down from the frame's."""

    width: Fraction
    height: Fraction
    right: Fraction
    down: Fraction

    def box(self, size: Size) -> Box:
        left, top = (size[0] - self.width) / 2 + self.right, (size[1] - self.height) / 2 + self.down
        return Box(int(left), int(top), int(left + self.width), int(top + self.height))


def crop_of(stream: Any) -> Crop | None:
    """What the file asks for of that track; None for one that asks for nothing, or is in no such file."""
    header = header_of(Path(stream.container.name))
    if header.startswith(EBML):
        return _edges(header, sum(other.index < stream.index for other in stream.container.streams.video))
    return _aperture(header, stream.id)


def _edges(header: bytes, number: int) -> Edges | None:
    """Of the track with so many that have a picture before it."""
    found = [header]
    for wanted in (SEGMENT, TRACKS, TRACK, VIDEO):
        found = [body for data in found for ident, body in elements(data) if ident == wanted]
    asked = dict(elements(found[number])) if number < len(found) else {}
    edges = [int.from_bytes(asked.get(ident, b""), "big") for ident in _EDGES]
    return Edges(*edges) if any(edges) else None


def _aperture(header: bytes, track: int) -> Aperture | None:
    bodies = (body for kind, body in boxes(header) if kind == b"trak")
    found = next((_APERTURE.search(body) for body in bodies if _track_id(body) == track), None)
    if found is None:
        return None
    numbers = struct.unpack(">IIIIiIiI", found[1])
    if not all(numbers[1::2]):
        return None
    return Aperture(*(Fraction(over, under) for over, under in zip(numbers[::2], numbers[1::2], strict=True)))


def _track_id(trak: bytes) -> int:
    header = dict(boxes(trak)).get(b"tkhd", b"")
    # Behind the times, which have eight bytes each in version 1.
    place = 20 if header[:1] == b"\1" else 12
    return int.from_bytes(header[place : place + 4], "big")


def _on_chroma(box: Box, pixel_format: av.VideoFormat) -> Box:
    """The box, its edges moved inwards to where chroma begins."""
    across, down = (UNIT // pixel_format.chroma_width(UNIT), UNIT // pixel_format.chroma_height(UNIT))
    return Box(
        -(-box.x0 // across) * across,
        -(-box.y0 // down) * down,
        box.x1 // across * across,
        box.y1 // down * down,
    )


class Cropper:
    """Cuts frames as ``crop`` says."""

    def __init__(self, crop: Crop | None) -> None:
        self._crop = crop
        self._cut = FrameFilter("crop")

    @property
    def crops(self) -> bool:
        return self._crop is not None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The part that is shown; the frame as it is where that is all of it, or hardly anything."""
        if self._crop is None:
            return frame
        box = _on_chroma(self._crop.box((frame.width, frame.height)), frame.format)
        whole = Box(0, 0, frame.width, frame.height)
        inside = 0 <= box.x0 <= box.x1 <= whole.x1 and 0 <= box.y0 <= box.y1 <= whole.y1
        if not inside or box == whole or min(box.width, box.height) < SMALLEST_SIDE:
            return frame
        return self._cut(on_host(frame), f"{box.width}:{box.height}:{box.x0}:{box.y0}")
