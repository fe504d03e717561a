"""Still pictures: PNG, JPEG, WebP, TIFF (and BMP in) to RGB arrays and back, 8 or 16 bits a channel.

Pillow reads and writes 8 bits; of a 16-bit colour picture it would keep only 8, so those are decoded by
FFmpeg and written by ``deep_pictures``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError, OptionError
from edge_sr.video.image import deep_pictures
from edge_sr.video.opening import open_input
from edge_sr.video.orientation import UPRIGHT, Orientation

READABLE = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
SAVING: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_deflate"},
}
HOLDS_ALPHA = ("PNG", "WEBP", "TIFF")
HOLDS_16_BITS = ("PNG", "TIFF")
ORIENTATION_TAG = 274
# EXIF's eight orientations as a transposition and two mirrors.
EXIF_ORIENTATIONS = {
    2: Orientation(mirror_x=True),
    3: Orientation(mirror_x=True, mirror_y=True),
    4: Orientation(mirror_y=True),
    5: Orientation(transpose=True),
    6: Orientation(transpose=True, mirror_x=True),
    7: Orientation(transpose=True, mirror_x=True, mirror_y=True),
    8: Orientation(transpose=True, mirror_y=True),
}


@dataclasses.dataclass(frozen=True)
class Still:
    """A picture as displayed. ``pixels``: RGB, ``H x W x 3``, uint8, or float32 in [0, 1] for 16-bit sources;
    ``alpha``: ``H x W``, same type, or None. ``grey`` pictures have three equal channels."""

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None = None
    grey: bool = False
    icc: bytes | None = None
    exif: bytes | None = None
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class StillInfo:
    """What the header says: displayed ``(width, height)`` and whether it has more than 8 bits a channel."""

    size: tuple[int, int]
    deep: bool


def is_picture_name(path: Path) -> bool:
    return path.suffix.lower() in READABLE


def output_format(path: Path) -> str:
    """Pillow's name for the format of an output name; ``OptionError`` lists those that are written."""
    found = WRITABLE.get(path.suffix.lower())
    if found is None:
        raise OptionError(f"a picture is written as one of {', '.join(WRITABLE)}, found {path.name}")
    return found


def read_info(path: Path) -> StillInfo:
    """Size and depth without decoding; ``MediaError`` when it is not a single picture."""
    with _opened(path) as image:
        deep = _is_deep(image)
        return StillInfo(_orientation(image).displayed(*image.size), deep)


def read_still(path: Path) -> Still:
    """The whole picture, turned as its EXIF says; ``MediaError`` when it is damaged."""
    with _opened(path) as image:
        still = _read_deep(path, image) if _is_deep(image) else _read_8_bits(path, image)
        turn = _orientation(image)
        alpha = None if still.alpha is None else turn.apply(still.alpha[..., None])[..., 0]
        return dataclasses.replace(
            still, pixels=turn.apply(still.pixels), alpha=alpha, exif=_upright_exif(image)
        )


def write_still(still: Still, path: Path, kind: str) -> list[str]:
    """Writes the picture as ``kind`` (Pillow's name); returns a name for each thing that it cannot hold."""
    dropped = []
    if still.alpha is not None and kind not in HOLDS_ALPHA:
        dropped.append(f"the alpha channel ({kind} has none)")
        still = dataclasses.replace(still, alpha=None)
    deep = still.pixels.dtype != np.uint8
    if deep and kind not in HOLDS_16_BITS:
        dropped.append(f"the lower 8 of 16 bits ({kind} has 8)")
        still, deep = _to_8_bits(still), False
    if deep:
        path.write_bytes(deep_pictures.encode(kind, _samples16(still), still.icc))
    else:
        _save_8_bits(still, path, kind)
    return dropped


def _opened(path: Path) -> Any:
    from PIL import Image, UnidentifiedImageError

    # The caller weighs the size against the memory there is, so Pillow's own limit is of no use.
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(path)
        pictures = getattr(image, "n_frames", 1)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise MediaError(f"{path} is not a picture that can be read: {error}") from error
    if pictures > 1:
        raise MediaError(
            f"{path} holds {pictures} pictures, expected one: split it, or make a film of it first"
        )
    if image.mode in ("F", "I"):
        raise MediaError(f"{path} has samples of type {image.mode}, expected 8 or 16 bits a channel")
    return image


def _is_deep(image: Any) -> bool:
    rawmode = str(image.tile[0].args) if image.tile else ""
    return image.mode.startswith("I;16") or ";16" in rawmode


def _orientation(image: Any) -> Orientation:
    return EXIF_ORIENTATIONS.get(_exif(image).get(ORIENTATION_TAG, 1), UPRIGHT)


def _exif(image: Any) -> Any:
    """The EXIF data. Of a PNG only what precedes the pixels: Pillow would decode them all to look behind."""
    from PIL import Image

    before = "exif" in image.info or "Raw profile type exif" in image.info
    return image.getexif() if before or image.format != "PNG" else Image.Exif()


def _upright_exif(image: Any) -> bytes | None:
    exif = _exif(image)
    exif.pop(ORIENTATION_TAG, None)
    return exif.tobytes() if len(exif) else None


def _read_8_bits(path: Path, image: Any) -> Still:
    notes, icc = [], image.info.get("icc_profile")
    grey = image.mode in ("1", "L", "LA", "La")
    has_alpha = "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info
    if image.mode in ("CMYK", "LAB") and icc:
        icc = None
        notes.append(f"the {image.mode} picture becomes RGB, without its {image.mode} colour profile")
    try:
        pixels = np.asarray(image.convert("RGBA" if has_alpha else "RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise MediaError(f"{path} is damaged or cut short: {error}") from error
    alpha = np.ascontiguousarray(pixels[..., 3]) if has_alpha else None
    return Still(np.ascontiguousarray(pixels[..., :3]), alpha, grey, icc, notes=tuple(notes))


def _read_deep(path: Path, image: Any) -> Still:
    import av

    try:
        with open_input(str(path)) as container:
            frame = next(container.decode(video=0))
            alpha = any(component.is_alpha for component in frame.format.components)
            # In several threads swscale writes over the rows where their slices meet.
            deep = frame.reformat(format="rgba64le" if alpha else "rgb48le", threads=1)
            samples = deep.to_ndarray()
    except (av.error.FFmpegError, StopIteration) as error:
        raise MediaError(f"{path} is damaged or cut short: {error}") from error
    values = samples.astype(np.float32) / np.float32(65535)
    return Still(
        np.ascontiguousarray(values[..., :3]),
        np.ascontiguousarray(values[..., 3]) if alpha else None,
        grey=len(frame.format.components) < 3,
        icc=image.info.get("icc_profile"),
    )


def _to_8_bits(still: Still) -> Still:
    def levels(values: NDArray[Any]) -> NDArray[Any]:
        rounded: NDArray[Any] = np.rint(values * 255).astype(np.uint8)
        return rounded

    return dataclasses.replace(
        still, pixels=levels(still.pixels), alpha=None if still.alpha is None else levels(still.alpha)
    )


def _channels(still: Still) -> NDArray[Any]:
    """``H x W x n``: one channel for grey, three for colour, and the alpha channel if there is one."""
    colour = still.pixels
    if still.grey:
        mean = colour.mean(axis=2, keepdims=True, dtype=np.float32)
        colour = (np.rint(mean) if colour.dtype == np.uint8 else mean).astype(colour.dtype)
    return colour if still.alpha is None else np.concatenate([colour, still.alpha[..., None]], axis=2)


def _samples16(still: Still) -> NDArray[np.uint16]:
    return np.rint(_channels(still) * np.float32(65535)).astype(np.uint16)


def _save_8_bits(still: Still, path: Path, kind: str) -> None:
    from PIL import Image

    channels = _channels(still)
    image = Image.fromarray(channels[..., 0] if channels.shape[2] == 1 else channels)
    extra: dict[str, Any] = dict(SAVING[kind])
    if still.icc:
        extra["icc_profile"] = still.icc
    if still.exif:
        extra["exif"] = still.exif
    image.save(path, format=kind, **extra)
