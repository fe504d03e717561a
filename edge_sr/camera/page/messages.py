"""What a viewer is sent: one binary message a picture, header and both JPEGs."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import numpy as np

from edge_sr.camera.pictures import Picture
from edge_sr.sizes import Region, Size

WHOLE_BEFORE_PIXELS = 640 * 360


def before_region(region: Region, source: Size) -> Region:
    """What is sent unsharpened: the whole of a small source, so that zooming out has it at once."""
    if source[0] * source[1] <= WHOLE_BEFORE_PIXELS:
        return 0, 0, source[0], source[1]
    return region


def packed(header: dict[str, Any], sharp: bytes, soft: bytes) -> bytes:
    """Length of the header, the header as JSON, then the two pictures, whose lengths it states."""
    text = json.dumps({**header, "sharp_bytes": len(sharp), "soft_bytes": len(soft)}).encode()
    return struct.pack(">I", len(text)) + text + sharp + soft


def jpeg(picture: Picture, quality: int) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def png(picture: Picture) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
