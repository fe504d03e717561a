"""A frame's alpha channel: read from any format, kept beside its colours, and put back into planar YUV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.video.frames.planes import codes_type, read_plane, write_plane

if TYPE_CHECKING:
    import av

# Codecs of WebM whose alpha FFmpeg's own decoders leave aside -> the decoder that reads it.
DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# The tag by which Matroska says so.
ALPHA_MODE = "alpha_mode"


def states_alpha(stream: Any) -> bool:
    """Whether the stream's own tag says that it has alpha, as WebM's does."""
    return any(value == "1" for key, value in stream.metadata.items() if key.lower() == ALPHA_MODE)


def decoder_with_alpha(stream: Any) -> Any | None:
    """A decoder for a stream that keeps alpha in packets' side data; None where there is none, or no need of one."""
    import av.codec

    own = stream.codec_context
    name = DECODERS.get(own.codec.canonical_name)
    if name is None or not states_alpha(stream):
        return None
    try:
        context: Any = av.CodecContext.create(name, "r")
    except av.codec.codec.UnknownCodecError:
        return None
    if own.extradata:
        context.extradata = own.extradata
    context.color_primaries, context.color_trc = own.color_primaries, own.color_trc
    context.colorspace, context.color_range = own.colorspace, own.color_range
    return context


def has_alpha(pixel_format: av.VideoFormat) -> bool:
    return any(component.is_alpha for component in pixel_format.components)


def is_transparent(frame: av.VideoFrame) -> bool:
    """Whether anything in the frame is not opaque."""
    if not has_alpha(frame.format):
        return False
    codes, top = _codes(frame)
    return bool(codes.min() < top)


def read_alpha(frame: av.VideoFrame, dtype: Any) -> NDArray[Any]:
    """How opaque each pixel is, ``H x W``: uint8, or float32 in [0, 1]."""
    codes, top = _codes(frame)
    if dtype == np.uint8:
        return codes if top == 255 else np.rint(codes * (255 / top)).astype(np.uint8)
    return codes.astype(np.float32) / np.float32(top)


def _codes(frame: av.VideoFrame) -> tuple[NDArray[Any], int]:
    """The alpha channel as it is coded, and the code of what is opaque: alpha always has the whole range."""
    component = next(component for component in frame.format.components if component.is_alpha)
    alone = sum(other.plane == component.plane for other in frame.format.components) == 1
    if not alone or component.bits > 16:
        deep = component.bits > 8
        # In several threads swscale writes over the rows where their slices meet.
        packed = frame.reformat(format="rgba64le" if deep else "rgba", threads=1).to_ndarray()
        return packed[..., 3], 65535 if deep else 255
    dtype = codes_type(component.bits, big_endian=frame.format.is_big_endian)
    return read_plane(frame.planes[component.plane], dtype, frame.width), (1 << component.bits) - 1


def with_alpha(frame: av.VideoFrame, alpha: NDArray[Any], pixel_format: str) -> av.VideoFrame:
    """The planar YUV frame with ``alpha``, uint8 or float32 in [0, 1], as its fourth plane."""
    import av

    whole = av.VideoFrame(frame.width, frame.height, pixel_format)
    depth = whole.format.components[3].bits
    dtype = codes_type(depth)
    if alpha.dtype != np.uint8:
        alpha = np.clip(np.rint(alpha * np.float32((1 << depth) - 1)), 0, (1 << depth) - 1)
    colours = [read_plane(plane, dtype, plane.width) for plane in frame.planes[:3]]
    for plane, codes in zip(whole.planes, [*colours, alpha], strict=True):
        write_plane(plane, codes, dtype)
    return whole


def is_even(alpha: NDArray[Any]) -> bool:
    """Whether all of it has one value, opaque or not."""
    return bool(alpha.min() == alpha.max())
