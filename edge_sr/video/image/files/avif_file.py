"""AVIF beyond what Pillow writes, eight bits that always say sRGB: HDR in ten bits by FFmpeg, and other colours."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MissingError, OptionError
from edge_sr.sizes import size_text
from edge_sr.video.frames.colour import BT2020, Colour, tag_colours
from edge_sr.video.frames.pixels import FromRgb, PixelLayout
from edge_sr.video.opening import open_encoder

NCLX = b"colrnclx"
ENCODER = "libsvtav1"
LAYOUT = PixelLayout(10, "420")
# Of 63: flat areas stay within two codes of 1,023, and what else is lost is hard to see.
OPTIONS = {"crf": "10", "preset": "6", "svtav1-params": "avif=1:chroma-sample-position=left"}


def write_hdr_avif(pixels: NDArray[Any], path: Path, primaries: int, transfer: int) -> None:
    """RGB of the HDR signal, ``H x W x 3``, uint8 or float32 in [0, 1], as 4:2:0 by BT.2020's matrix in full range.

    Raises ``MissingError`` without the encoder, ``OptionError`` for a size beyond it.
    """
    import av
    import av.codec

    signal = pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels
    colour = Colour(BT2020, True, primaries, transfer)
    frame = FromRgb(colour, LAYOUT)(signal)
    frame.pts, frame.time_base = 0, Fraction(1)
    try:
        with av.open(str(path), "w", format="avif") as file:
            stream: Any = file.add_stream(ENCODER, rate=1)
            stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, LAYOUT.name
            context = stream.codec_context
            tag_colours(context, colour)
            context.options = OPTIONS
            open_encoder(context)
            file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    except av.codec.codec.UnknownCodecError as error:
        raise MissingError(
            f"this FFmpeg has no encoder {ENCODER} for AVIF of 10 bits: pip install --upgrade av, or write a .png"
        ) from error
    except (av.error.ArgumentError, av.error.ExternalError) as error:
        raise OptionError(
            f"AVIF of 10 bits does not take {size_text((frame.width, frame.height))}: write it as .png with -o"
        ) from error


def with_colours(avif: bytes, primaries: int, transfer: int) -> bytes:
    """A whole AVIF with these numbers of ITU-T H.273, which readers heed before the coded picture's; its matrix stays.

    Raises ``ValueError`` for a file without a colour description.
    """
    place = avif.index(NCLX) + len(NCLX)
    return avif[:place] + struct.pack(">HH", primaries, transfer) + avif[place + 4 :]
