"""Decoded frames to RGB arrays and back, by the matrix and range that the film states.

Eight-bit 4:2:0 goes through swscale as uint8. Everything deeper or with more chroma becomes float32 by our
own arithmetic: swscale puts the white of a limited-range 10-bit film at 65,280 of 65,535.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.video.frames.alpha import has_alpha, read_alpha, with_alpha
from edge_sr.video.frames.codes import write_codes
from edge_sr.video.frames.colour import Colour, tag_colours
from edge_sr.video.frames.matrix import levels, rgb_to_yuv, yuv_to_rgb
from edge_sr.video.frames.planes import codes_type, read_plane, write_plane
from edge_sr.video.frames.siting import Marker
from edge_sr.video.surfaces.write import frame_of
from edge_sr.yuv import Surface

if TYPE_CHECKING:
    import av

# Chroma layout -> by how much width and height are divided in its planes.
SUBSAMPLING = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}
# Bits a component that FFmpeg has planar YUV formats for.
DEPTHS = (8, 9, 10, 12, 14, 16)
# Bits a code by the way, where fewer would lose fractions.
FINE = 14
# Rows that are rounded together, so that their values stay in the processor's caches.
ROWS = 32
# swscale's bicubic, accurate_rnd, full_chroma_int and full_chroma_inp, by number: older PyAVs name only the first.
# Without the others swscale repeats chroma and errs by up to three levels.
INTERPOLATION = 0x4 | 0x40000 | 0x2000 | 0x4000
# Grey in floating point, which swscale takes for grey of limited range, as NumPy calls it.
FLOATS = {
    f"grayf{8 * size}{end}": f"{mark}f{size}" for size in (2, 4) for end, mark in (("le", "<"), ("be", ">"))
}
# Packed RGB that swscale takes to eight bits with its bytes the wrong way round, but swaps rightly.
MISREAD = {f"{order}{bits}be": f"{order}{bits}le" for order in ("rgb", "bgr") for bits in (555, 565)}


@dataclasses.dataclass(frozen=True)
class PixelLayout:
    """What matters about a pixel format: bits a component, chroma layout, RGB or not, alpha or not, grey or not."""

    depth: int
    chroma: str
    is_rgb: bool = False
    has_alpha: bool = False
    is_grey: bool = False

    @property
    def fits_uint8(self) -> bool:
        """Whether frames run through the uint8 graphs; all others run through the float pair."""
        return self.depth == 8 and self.chroma == "420"

    @property
    def name(self) -> str:
        """FFmpeg's name for the planar YUV format of this depth and chroma, with alpha or without."""
        alpha = "a" if self.has_alpha else ""
        return f"yuv{alpha}{self.chroma}p" + ("" if self.depth == 8 else f"{self.depth}le")

    @property
    def plain_name(self) -> str:
        """As ``name``, but grey as one plane."""
        if not self.is_grey:
            return self.name
        return "gray" if self.depth == 8 else f"gray{self.depth}le"


def layout_of(pixel_format: av.VideoFormat) -> PixelLayout:
    """The layout of a decoded frame; grey counts as 4:2:0, unusual chroma and depth as the next richer layout."""
    components = pixel_format.components
    alpha = has_alpha(pixel_format)
    found = max(component.bits for component in components)
    depth = next((depth for depth in DEPTHS if depth >= found), DEPTHS[-1])
    if pixel_format.is_rgb or pixel_format.has_palette:
        return PixelLayout(depth, "444", is_rgb=True, has_alpha=alpha)
    if len(components) - alpha < 3:
        return PixelLayout(depth, "420", has_alpha=alpha, is_grey=True)
    divided = (16 // pixel_format.chroma_width(16), 16 // pixel_format.chroma_height(16))
    chroma = {(1, 1): "444", (1, 2): "444", (2, 1): "422"}.get(divided, "420")
    return PixelLayout(depth, chroma, has_alpha=alpha)


def even_neighbours(size: tuple[int, int], chroma: str) -> tuple[int, int]:
    """The size with each axis that the chroma layout halves rounded up to even."""
    across, down = SUBSAMPLING[chroma]
    return (-(-size[0] // across) * across, -(-size[1] // down) * down)


class Converter:
    """swscale with matrix, range, chroma's place and rounding always given explicitly; one object a stream."""

    def __init__(self, colour: Colour) -> None:
        from av.video.reformatter import VideoReformatter

        self._scaler = VideoReformatter()
        self._colour = colour
        self._marked = Marker(colour.siting)

    def __call__(
        self,
        frame: av.VideoFrame,
        pixel_format: str,
        *,
        from_full: bool | None = None,
        to_full: bool | None = None,
        size: tuple[int, int] | None = None,
    ) -> av.VideoFrame:
        """The frame in another format; ``from_full`` and ``to_full`` default to the film's own range."""
        swapped = MISREAD.get(frame.format.name)
        if swapped is not None:
            frame = self._scaler.reformat(frame, format=swapped, threads=1)
        own = self._colour.range_code
        # PyAV 17 has no number of swscale's for BT.2020 and takes the matrix from here.
        frame.colorspace = self._colour.matrix
        return self._scaler.reformat(
            self._marked(frame),
            width=size[0] if size else None,
            height=size[1] if size else None,
            format=pixel_format,
            src_colorspace=self._colour.swscale,
            dst_colorspace=self._colour.swscale,
            src_color_range=own if from_full is None else 1 + from_full,
            dst_color_range=own if to_full is None else 1 + to_full,
            interpolation=INTERPOLATION,
            # In several threads swscale writes over the rows where their slices meet.
            threads=1,
        )


class ToRgb:
    """Decoded frames to RGB: uint8 ``H x W x 3`` for 8-bit 4:2:0, else float32 in [0, 1].

    ``keep_alpha`` makes that ``H x W x 4``, for frames whose format has alpha.
    """

    def __init__(self, colour: Colour, layout: PixelLayout, *, keep_alpha: bool = False) -> None:
        self._convert = Converter(colour)
        self._colour = colour
        self._layout = layout
        self._keep_alpha = keep_alpha

    def __call__(self, frame: av.VideoFrame, size: tuple[int, int] | None = None) -> NDArray[Any]:
        """The frame's pixels, scaled to ``size`` by swscale if that is given."""
        if not self._keep_alpha:
            return self._colours(frame, size)
        if size is not None:
            frame = self._convert(frame, frame.format.name, size=size)
        colours = self._colours(frame, None)
        alpha = read_alpha(frame, colours.dtype)
        return np.concatenate([colours, alpha[..., None]], axis=2)

    def _colours(self, frame: av.VideoFrame, size: tuple[int, int] | None) -> NDArray[Any]:
        if self._layout.is_grey:
            frame = with_neutral_chroma(frame)
        if self._layout.fits_uint8:
            return self._convert(frame, "rgb24", to_full=True, size=size).to_ndarray()
        own = layout_of(frame.format).depth
        if self._layout.is_rgb:
            # swscale brings eight bits to sixteen by way of YUV, and errs by more than a level.
            name, top = ("rgb24", 255) if own == 8 else ("rgb48le", 65535)
            codes = self._convert(frame, name, from_full=True, to_full=True, size=size).to_ndarray()
            return codes.astype(np.float32) / np.float32(top)
        # Further bits keep the fractions of chroma between samples, but swscale only shifts codes to them, and the
        # white of full range is all ones.
        depth = own if self._colour.full_range else max(self._layout.depth, FINE)
        planes = read_planes(self._convert(frame, PixelLayout(depth, "444").name, size=size))
        return yuv_to_rgb(planes, self._colour, depth)


class FromRgb:
    """RGB arrays, uint8 or float32, to frames of ``layout`` tagged with the film's colours; codes go in as they are.

    A layout with alpha takes arrays of four channels. ``pixel_format``: FFmpeg's name for the layout as the encoder
    takes it, by default the planar one. ``takes_surfaces``: whether the encoder takes those as well.
    """

    def __init__(
        self, colour: Colour, layout: PixelLayout, pixel_format: str = "", *, takes_surfaces: bool = False
    ) -> None:
        self._convert = Converter(colour)
        self.colour = colour
        self.layout = layout
        self.takes_surfaces = takes_surfaces
        self._whole = pixel_format or layout.name
        self._format = dataclasses.replace(layout, has_alpha=False).name if layout.has_alpha else self._whole

    def __call__(self, picture: NDArray[Any] | Surface) -> av.VideoFrame:
        if isinstance(picture, Surface):
            return self._tagged(frame_of(picture))
        if not self.layout.has_alpha:
            return self._tagged(self._colours(picture))
        return self._tagged(with_alpha(self._colours(picture[..., :3]), picture[..., 3], self._whole))

    def _colours(self, picture: NDArray[Any]) -> av.VideoFrame:
        import av

        if picture.ndim == 2:
            frame = write_codes(picture, self._format)
        elif picture.dtype == np.uint8:
            source = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame = self._of_bytes(source)
        else:
            depth = self.layout.depth
            source = write_planes(rgb_to_yuv(picture, self.colour, depth), PixelLayout(depth, "444").name)
            frame = self._convert(source, self._format)
        return frame

    def _of_bytes(self, source: av.VideoFrame) -> av.VideoFrame:
        if not self.colour.full_range:
            return self._convert(source, self._format, from_full=True)
        fine = self._convert(source, PixelLayout(FINE, self.layout.chroma).name, from_full=True)
        frame = rounded(fine, self.layout)
        return frame if frame.format.name == self._format else self._convert(frame, self._format)

    def _tagged(self, frame: av.VideoFrame) -> av.VideoFrame:
        tag_colours(frame, self.colour)
        return frame


def rounded(frame: av.VideoFrame, layout: PixelLayout) -> av.VideoFrame:
    """A planar frame of ``FINE`` bits in full range at the layout's depth.

    swscale puts the neutral chroma of full range half a code too low, whatever the depth.
    """
    import av

    made = av.VideoFrame(frame.width, frame.height, dataclasses.replace(layout, has_alpha=False).name)
    dtype = codes_type(layout.depth)
    _, span, middle, _ = levels(layout.depth, True)
    _, fine_span, fine_middle, _ = levels(FINE, True)
    factor, neutral = np.float32(span / fine_span), np.float32(middle - fine_middle * span / fine_span)
    for index, (fine, coarse) in enumerate(zip(frame.planes, made.planes, strict=True)):
        codes, rounded_codes = (
            read_plane(fine, codes_type(FINE), fine.width),
            read_plane(coarse, dtype, fine.width),
        )
        for top in range(0, fine.height, ROWS):
            values = codes[top : top + ROWS] * factor
            if index:
                values += neutral
            rounded_codes[top : top + ROWS] = np.rint(values, out=values)
    return made


def with_neutral_chroma(frame: av.VideoFrame) -> av.VideoFrame:
    """A grey frame as a YUV frame of the same luma codes: swscale takes grey for full range whatever it is told."""
    import av

    layout = layout_of(frame.format)
    number = FLOATS.get(frame.format.name)
    if number is None and frame.format.name != layout.plain_name:
        # Black and white of one bit, grey with alpha, other byte orders: the codes stay what they are.
        frame = frame.reformat(format=layout.plain_name, src_color_range=2, dst_color_range=2, threads=1)
    coloured = av.VideoFrame(frame.width, frame.height, PixelLayout(layout.depth, layout.chroma).name)
    dtype = codes_type(layout.depth)
    luma, *chroma = (read_plane(plane, dtype, plane.width) for plane in coloured.planes)
    codes = read_plane(frame.planes[0], np.dtype(number or dtype), frame.width)
    luma[...] = codes if number is None else np.rint(np.clip(codes.astype(np.float32), 0, 1) * 65535)
    for plane in chroma:
        plane[...] = 1 << (layout.depth - 1)
    return coloured


def read_planes(frame: av.VideoFrame) -> NDArray[Any]:
    """The first three planes of a 4:4:4 frame as one ``3 x H x W`` array of float32 codes."""
    planes = np.empty((3, frame.height, frame.width), np.float32)
    dtype = codes_type(frame.format.components[0].bits)
    for target, plane in zip(planes, frame.planes, strict=False):
        target[...] = read_plane(plane, dtype, frame.width)
    return planes


def write_planes(codes: NDArray[Any], pixel_format: str) -> av.VideoFrame:
    """A 4:4:4 frame from ``3 x H x W`` codes."""
    import av

    _, height, width = codes.shape
    frame = av.VideoFrame(width, height, pixel_format)
    for plane, values in zip(frame.planes, codes, strict=True):
        write_plane(plane, values, codes.dtype)
    return frame
