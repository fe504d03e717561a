"""Pixels of TIFFs and Photoshop files that keep each channel for itself, by Pillow, one channel after another."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError
from edge_sr.video.image.files.psd_planes import composite_planes
from edge_sr.video.image.files.psd_resources import is_psd
from edge_sr.video.image.files.tiff_planes import planes
from edge_sr.video.image.files.tiff_tags import (
    EXTRA_SAMPLES,
    GREY,
    HEIGHT,
    NOT_ALPHA,
    PHOTOMETRIC,
    PREMULTIPLIED,
    SAMPLES_PER_PIXEL,
    WHITE_IS_ZERO,
    WIDTH,
    refuse_compression,
)
from edge_sr.video.image.leniency import lenient, minding_damage
from edge_sr.video.image.pillow_reader import Pixels


def planar_pixels(path: Path, tags: Any) -> tuple[Pixels, str]:
    """The picture as stored, without its profile, and what is damaged about it, in words.

    ``tags`` are such as ``is_read_by_planes`` takes. Raises ``MediaError`` when nothing decodes.
    """
    grey = tags[PHOTOMETRIC] in GREY
    colours = 1 if grey else 3
    beside = tags.get(EXTRA_SAMPLES, ())[:1]
    has_alpha = tags.get(SAMPLES_PER_PIXEL, 1) > colours and beside != (NOT_ALPHA,)
    files = _files(path, tags, colours + has_alpha)
    channels, damages = zip(*(_channel(path, file, tags) for file in files), strict=True)
    alpha = channels[-1] if has_alpha else None
    shown = channels[:colours]
    if tags[PHOTOMETRIC] == WHITE_IS_ZERO:
        shown = tuple((255 if plane.dtype == np.uint8 else np.float32(1)) - plane for plane in shown)
    pixels = Pixels(np.dstack(shown * (3 // colours)), alpha, grey, None)
    damage = next(filter(None, damages), "")
    nothing = damage and all(plane.min() == plane.max() for plane in channels)
    if nothing or any(plane.shape != (tags[HEIGHT], tags[WIDTH]) for plane in channels):
        raise MediaError(f"{path} is damaged or cut short, and nothing of it decodes")
    return (pixels.divided_by_alpha() if has_alpha and beside == (PREMULTIPLIED,) else pixels), damage


def _files(path: Path, tags: Any, count: int) -> Iterator[io.BytesIO]:
    try:
        yield from composite_planes(path, tags, count) if is_psd(path) else planes(path, count)
    except (ValueError, LookupError, ArithmeticError, struct.error) as error:
        raise MediaError(f"{path} is damaged or cut short, and nothing of it decodes") from error


def _channel(path: Path, file: io.BytesIO, tags: Any) -> tuple[NDArray[Any], str]:
    """uint8, or float32 in [0, 1]."""
    try:
        with minding_damage():
            samples, damage = _samples(file), ""
    except MemoryError:
        raise
    except Exception as error:  # damaged data make Pillow's decoders raise nearly anything
        refuse_compression(path, tags)
        damage = f"damaged: {error}"
        try:
            with lenient():
                samples = _samples(file)
        except Exception:
            raise MediaError(f"{path} is damaged or cut short, and nothing of it decodes: {error}") from error
    if samples.dtype == bool:
        return samples * np.uint8(255), damage
    return (samples if samples.dtype == np.uint8 else samples.astype(np.float32) / np.float32(65535)), damage


def _samples(file: io.BytesIO) -> NDArray[Any]:
    from PIL import Image

    file.seek(0)
    with Image.open(file, formats=["TIFF"]) as image:
        return np.array(image)
