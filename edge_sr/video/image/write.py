"""Writing a still picture, and naming what its format cannot hold."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.video.frames.colour_profile import is_srgb
from edge_sr.video.image.files import deep_files
from edge_sr.video.image.files.avif_file import with_colours, write_hdr_avif
from edge_sr.video.image.files.heic_file import write_heic
from edge_sr.video.image.files.jpeg_segments import LARGEST_DENSITY, with_aspect
from edge_sr.video.image.files.png_chunks import with_chunks
from edge_sr.video.image.formats import Format
from edge_sr.video.image.metadata import saving
from edge_sr.video.image.still import Still, eight_bits


def write_still(still: Still, path: Path, kind: Format) -> list[str]:
    """Writes the picture as ``kind``; returns a name for each thing that it cannot hold."""
    if kind.hdr and not kind.deep and still.hdr_transfer is not None:
        return _write_hdr(still, path, still.hdr_transfer)
    dropped = []
    if still.alpha is not None and not kind.alpha:
        dropped.append(f"the alpha channel ({kind.name} has none)")
        still = dataclasses.replace(still, alpha=None)
    deep = still.pixels.dtype != np.uint8
    if deep and not kind.deep:
        dropped.append(f"the lower 8 of 16 bits ({kind.name} has 8)")
        alpha = None if still.alpha is None else eight_bits(still.alpha)
        still, deep = dataclasses.replace(still, pixels=eight_bits(still.pixels), alpha=alpha), False
    channels, metadata = _samples16(still) if deep else _channels(still), still.metadata
    space, name = (b"GRAY", "grey") if still.grey and kind.grey else (b"RGB ", "RGB")
    if metadata.icc is not None and metadata.icc[16:20] != space:
        if not is_srgb(metadata.icc):
            dropped.append(f"the colour profile (it is none of {name}, which the {kind.name} is written in)")
        metadata = dataclasses.replace(metadata, icc=None)
    options, lost = saving(metadata, kind.name, (channels.shape[1], channels.shape[0]))
    described = None if metadata.transfer is None else (metadata.primaries, metadata.transfer)
    if kind.name == "HEIF":
        write_heic(channels, path, options, described)
    elif kind.name == "TIFF":
        path.write_bytes(deep_files.tiff(channels, options))
    elif deep:
        path.write_bytes(deep_files.png16(channels, options))
    else:
        _save_8_bits(channels, path, kind, options)
    if kind.name == "PNG" and metadata.own_chunks:
        path.write_bytes(with_chunks(path.read_bytes(), metadata.own_chunks))
    if kind.name == "JPEG" and metadata.aspect is not None and max(metadata.aspect) <= LARGEST_DENSITY:
        path.write_bytes(with_aspect(path.read_bytes(), metadata.aspect))
    if kind.name == "AVIF" and described is not None and metadata.icc is None:
        path.write_bytes(with_colours(path.read_bytes(), *described))
    return dropped + lost


def _write_hdr(still: Still, path: Path, transfer: int) -> list[str]:
    metadata = still.metadata
    write_hdr_avif(still.pixels, path, metadata.primaries, transfer)
    beside = {
        "the alpha channel": still.alpha is not None,
        "the colour profile": metadata.icc,
        "EXIF": metadata.exif,
        "XMP": metadata.xmp,
        "text": metadata.text,
        "the comment": metadata.comment,
        "IPTC and Photoshop data": metadata.photoshop,
        "the shape of the pixels": metadata.aspect,
        "mastering display and light levels": metadata.hdr_chunks,
    }
    return [f"{name} (an AVIF of 10 bits is written without)" for name, found in beside.items() if found]


def _channels(still: Still) -> NDArray[Any]:
    """``H x W x n``: one channel for grey, three for colour, and the alpha channel if there is one."""
    colour = still.pixels
    if still.grey:
        mean = colour.mean(axis=2, keepdims=True, dtype=np.float32)
        colour = (np.rint(mean) if colour.dtype == np.uint8 else mean).astype(colour.dtype)
    return colour if still.alpha is None else np.concatenate([colour, still.alpha[..., None]], axis=2)


def _samples16(still: Still) -> NDArray[np.uint16]:
    return np.rint(_channels(still) * np.float32(65535)).astype(np.uint16)


def _save_8_bits(channels: NDArray[Any], path: Path, kind: Format, options: dict[str, Any]) -> None:
    from PIL import Image

    image = Image.fromarray(channels[..., 0] if channels.shape[2] == 1 else channels)
    image.save(path, format=kind.name, **kind.saving, **options)
