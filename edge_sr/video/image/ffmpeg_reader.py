"""Pixels by FFmpeg: pictures of more than 8 bits, formats that Pillow does not read, and the tiles of HEIF files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError
from edge_sr.video.frames.alpha import read_alpha
from edge_sr.video.frames.colour import RGB, SMPTE170M, SWSCALE_MATRIX, UNSPECIFIED, Colour
from edge_sr.video.frames.filtering import as_progressive
from edge_sr.video.frames.pixels import PixelLayout, ToRgb, layout_of
from edge_sr.video.frames.planes import codes_type, read_plane, write_plane
from edge_sr.video.frames.siting import CENTER, LEFT, stated_siting
from edge_sr.video.image.files.heif_items import HeifPicture, Tiles
from edge_sr.video.image.pillow_reader import Pixels
from edge_sr.video.opening import open_input

if TYPE_CHECKING:
    import av

FLOATING = re.compile(r"f(16|32)(le|be)?$")


def first_frame(path: Path) -> av.VideoFrame:
    """The file's first picture; ``MediaError`` when none decodes, or only to floating point."""
    import av

    try:
        with open_input(str(path)) as container:
            frame = next(container.decode(video=0))
    except (av.error.FFmpegError, StopIteration, IndexError) as error:
        reason = getattr(error, "strerror", None) or "it has no picture"
        raise MediaError(f"{path} is no picture that can be read, or damaged: {reason}") from error
    if FLOATING.search(frame.format.name):
        raise MediaError(
            f"{path} has floating-point samples, of linear light, expected 8 or 16 bits: convert it first"
        )
    return frame


def frame_pixels(frame: av.VideoFrame, picture: HeifPicture | None = None) -> Pixels:
    """The frame as RGB, its alpha channel beside it."""
    frame, layout = as_progressive(frame), layout_of(frame.format)
    deep = max(component.bits for component in frame.format.components) > 8
    alpha = read_alpha(frame, np.float32 if deep else np.uint8) if layout.has_alpha else None
    grey = len(frame.format.components) - layout.has_alpha < 3
    colour = _colour(frame, picture)
    rgb = _rgb(frame, colour, layout)
    if rgb.dtype == np.uint8 or layout.depth > 8:
        return Pixels(rgb, alpha, grey, None)
    rounded: NDArray[Any] = np.rint(rgb * 255).astype(np.uint8)
    return Pixels(rounded, alpha, grey, None)


def _rgb(frame: av.VideoFrame, colour: Colour, layout: PixelLayout) -> NDArray[Any]:
    # swscale takes grey for full range whatever it is told, and is a level off in ten bits.
    if layout.is_rgb or (layout.is_grey and colour.full_range and layout.depth == 8):
        deep = layout.depth > 8
        # In several threads swscale writes over the rows where their slices meet.
        samples = frame.reformat(format="rgb48le" if deep else "rgb24", threads=1).to_ndarray()
        return samples.astype(np.float32) / np.float32(65535) if deep else np.ascontiguousarray(samples)
    return ToRgb(colour, layout)(frame)


def _colour(frame: av.VideoFrame, picture: HeifPicture | None) -> Colour:
    """The frame's colours; a still that says nothing is of BT.601's matrix and full range (ISO/IEC 23000-22),
    chroma in the centre."""
    siting = _siting(frame, picture)
    stated = picture.nclx if picture is not None else None
    if stated is not None:
        primaries, transfer, matrix, full = stated
        return Colour(_usable(matrix), bool(full), primaries, transfer, siting)
    name = frame.format.name
    full = int(frame.color_range) != 1 or name.startswith("yuvj")
    primaries, transfer = int(frame.color_primaries), int(frame.color_trc)
    return Colour(_usable(int(frame.colorspace)), full, primaries, transfer, siting)


def _siting(frame: av.VideoFrame, picture: HeifPicture | None) -> str:
    """What the frame states, else the centre, as in JPEG.

    HEVC's left stands there also where nothing is said, and libheif, which writes much of HEIC, averages four pixels.
    """
    stated = stated_siting(frame)
    if stated == LEFT and picture is not None and picture.is_hevc:
        return CENTER
    return stated or CENTER


def _usable(matrix: int) -> int:
    if matrix in (UNSPECIFIED, RGB, 3):
        return SMPTE170M
    if matrix not in SWSCALE_MATRIX:
        raise MediaError(f"its colour matrix {matrix} of ITU-T H.273 is not supported: convert it first")
    return matrix


def heif_pixels(path: Path, picture: HeifPicture) -> Pixels:
    """The picture of a HEIF file, assembled from its tiles, with its alpha channel."""
    wanted = {*picture.tiles.items, *(picture.alpha.items if picture.alpha else ())}
    frames = dict(_item_frames(path, wanted))
    colour = frame_pixels(_assembled(path, picture.tiles, frames), picture)
    alpha = None
    if picture.alpha is not None and picture.alpha.size == picture.tiles.size:
        alpha = _luma(_assembled(path, picture.alpha, frames))
        if colour.colour.dtype == np.uint8:
            alpha = np.rint(alpha * 255).astype(np.uint8)
    pixels = colour._replace(alpha=alpha, icc=picture.icc).within(picture.crop)
    return pixels.divided_by_alpha() if picture.premultiplied else pixels


def _item_frames(path: Path, wanted: set[int]) -> Iterator[tuple[int, av.VideoFrame]]:
    import av

    try:
        with open_input(str(path)) as container:
            streams = [stream for stream in container.streams.video if stream.id in wanted]
            done: set[int] = set()
            for packet in container.demux(streams):
                for frame in [] if packet.stream.id in done else packet.decode():
                    done.add(packet.stream.id)
                    if isinstance(frame, av.VideoFrame):
                        yield packet.stream.id, frame
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path} is damaged, or made of what FFmpeg does not decode: {reason}") from error


def _assembled(path: Path, tiles: Tiles, frames: dict[int, av.VideoFrame]) -> av.VideoFrame:
    """One frame of all tiles, copied plane by plane, so that no seam shows where chroma is interpolated."""
    import av

    missing = [item for item in tiles.items if item not in frames]
    if missing:
        raise MediaError(f"{path}: {len(missing)} of its {len(tiles.items)} tiles do not decode")
    first = frames[tiles.items[0]]
    if len(tiles.items) == 1:
        return first
    if any((frames[i].width, frames[i].height, frames[i].format.name) != (first.width, first.height, first.format.name)
           for i in tiles.items):  # fmt: skip
        raise MediaError(f"{path}: its tiles differ in size or format")
    rows = len(tiles.items) // tiles.columns
    whole = av.VideoFrame(first.width * tiles.columns, first.height * rows, first.format.name)
    for number, plane in enumerate(whole.planes):
        codes = [_codes(frames[item], number) for item in tiles.items]
        lines = [codes[row * tiles.columns :][: tiles.columns] for row in range(rows)]
        write_plane(plane, np.block(lines), codes[0].dtype)
    whole.colorspace, whole.color_range = first.colorspace, first.color_range
    whole.color_primaries, whole.color_trc = first.color_primaries, first.color_trc
    return whole


def _codes(frame: av.VideoFrame, number: int) -> NDArray[Any]:
    """Those of a plane, which share its memory."""
    plane, bits = frame.planes[number], frame.format.components[number].bits
    return read_plane(plane, codes_type(bits), plane.width)


def _luma(frame: av.VideoFrame) -> NDArray[np.float32]:
    """The first plane in [0, 1]: what a HEIF file keeps alpha in, full range."""
    bits = frame.format.components[0].bits
    return _codes(frame, 0).astype(np.float32) / np.float32((1 << bits) - 1)
