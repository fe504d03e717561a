"""Writers of what Pillow does not write: PNG and TIFF of 16 bits a channel, and TIFF with all its tags."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import OptionError
from edge_sr.video.image.files.exif import EXIF_IFD, GPS_IFD, Tags
from edge_sr.video.image.files.png_chunks import SIGNATURE, chunk, chunks_in

Samples = NDArray[np.uint8] | NDArray[np.uint16]

# PNG colour types, and Pillow's modes of 8 bits, by number of channels: grey, grey and alpha, RGB, RGBA.
PNG_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
XMP, ICC = 700, 34675
LARGEST_TIFF = (1 << 32) - (1 << 20)


def png16(samples: NDArray[np.uint16], options: dict[str, Any]) -> bytes:
    """A PNG of ``H x W x n`` samples, n from 1 to 4; ``options``: metadata as Pillow's PNG writer takes it."""
    from PIL import Image

    height, width, channels = samples.shape
    # Pillow writes the metadata around a picture of one pixel, whose header and data are then replaced.
    around = io.BytesIO()
    Image.new(MODES[channels], (1, 1)).save(around, "PNG", **options)
    header = struct.pack(">IIBBBBB", width, height, 16, PNG_TYPES[channels], 0, 0, 0)
    replaced = {b"IHDR": header, b"IDAT": zlib.compress(_filtered(samples), 6)}
    chunks = (chunk(kind, replaced.get(kind) or around.read(length)) for kind, length in chunks_in(around))
    return SIGNATURE + b"".join(chunks)


def _filtered(samples: NDArray[np.uint16]) -> bytes:
    """Rows as differences from the row above (PNG filter 2, on bytes), which compress better."""
    rows = samples.astype(">u2").view(np.uint8).reshape(len(samples), -1)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    marked = np.full((len(rows), rows.shape[1] + 1), 2, np.uint8)
    marked[:, 1:] = rows - above
    return marked.tobytes()


def tiff(samples: Samples, options: dict[str, Any]) -> bytes:
    """A TIFF of ``H x W x n`` samples, 8 or 16 bits: one deflated strip of differences from the pixel to the left.

    ``options``: ``exif`` as ``Tags``, ``dpi``, ``xmp`` and ``icc_profile``. ``OptionError`` beyond TIFF's 4 GiB.
    """
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    strip = zlib.compress(_differences(samples).tobytes(), 6)
    if len(strip) > LARGEST_TIFF:
        raise OptionError(
            "a TIFF holds at most 4 GiB of compressed pixels: write a .png with -o, or ask for less"
        )
    directory: Any = ImageFileDirectory_v2(prefix=b"II" if sys.byteorder == "little" else b"MM")
    _describe(directory, options)
    _structure(directory, samples, len(strip))
    file = io.BytesIO()
    directory.save(file)
    return file.getvalue() + strip


def _differences(samples: Samples) -> Samples:
    """Predictor 2 of TIFF 6.0."""
    differences = samples.copy()
    differences[:, 1:] -= samples[:, :-1]
    return differences


def _structure(directory: Any, samples: Samples, length: int) -> None:
    """The tags that say how pixels are kept (TIFF 6.0, and Adobe's technical note on compression 8)."""
    height, width, channels = samples.shape
    tags: dict[int, tuple[int, Any]] = {
        256: (4, width),
        257: (4, height),
        258: (3, (8 * samples.itemsize,) * channels),
        259: (3, 8),
        262: (3, 2 if channels > 2 else 1),
        # Counted from the end of the directory, as Pillow has it.
        273: (4, 0),
        277: (3, channels),
        278: (4, height),
        279: (4, length),
        284: (3, 1),
        317: (3, 2),
    }
    if channels in (2, 4):
        tags[338] = (3, 2)
    for tag, (kind, value) in tags.items():
        _set(directory, tag, kind, value)


def _describe(directory: Any, options: dict[str, Any]) -> None:
    tags: Tags = options.get("exif", Tags({}))
    for tag, value in tags.main.items():
        directory[tag] = value
    for tag, values in ((EXIF_IFD, tags.exposure), (GPS_IFD, tags.place)):
        if values:
            directory[tag] = values
    if "dpi" in options:
        across, down = options["dpi"]
        directory[282], directory[283], directory[296] = across, down, 2
    for tag, name in ((XMP, "xmp"), (ICC, "icc_profile")):
        if name in options:
            _set(directory, tag, 7 if tag == ICC else 1, options[name])


def _set(directory: Any, tag: int, kind: int, value: Any) -> None:
    directory.tagtype[tag] = kind
    directory[tag] = value
