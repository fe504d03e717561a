"""Pixels by Pillow: every layout that it reads becomes RGB of the same colours, as far as the file decodes."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError
from edge_sr.sizes import Box
from edge_sr.video.image.files import jxl_header
from edge_sr.video.image.files.exif import INTEROPERABILITY, ORIENTATION
from edge_sr.video.image.files.jp2_boxes import bits_of, profile_of
from edge_sr.video.image.files.png_chunks import is_png, rows_present
from edge_sr.video.image.files.tiff_tags import (
    BITS,
    HEIGHT,
    PLANAR,
    WIDTH,
    refuse_compression,
)
from edge_sr.video.image.leniency import lenient, minding_damage
from edge_sr.video.image.recognise import open_picture

# Bits of a sample in the layouts whose transparent level PNG names by itself.
KEY_BITS = {"1": 1, "L;2": 2, "L;4": 4, "L": 8, "RGB": 8}
OTHER_ORDER = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}


class Pixels(NamedTuple):
    """RGB ``H x W x 3``, uint8 or float32 in [0, 1], alpha ``H x W`` or None, and how they came about.

    ``upright``: whether the reader has turned them already, as the file says.
    """

    colour: NDArray[Any]
    alpha: NDArray[Any] | None
    grey: bool
    icc: bytes | None
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    upright: bool = False

    def within(self, box: Box) -> Pixels:
        alpha = None if self.alpha is None else _part(self.alpha, box)
        return self._replace(colour=_part(self.colour, box), alpha=alpha)

    def divided_by_alpha(self) -> Pixels:
        """Of premultiplied colours the colours themselves."""
        if self.alpha is None:
            return self
        eight = self.colour.dtype == np.uint8
        top, least = np.float32(255 if eight else 1), np.float32(1 if eight else 1 / 65535)
        colour = np.minimum(self.colour * (top / np.maximum(self.alpha, least))[..., np.newaxis], top)
        return self._replace(colour=np.rint(colour).astype(np.uint8) if eight else colour)


def _part(samples: NDArray[Any], box: Box) -> NDArray[Any]:
    return np.ascontiguousarray(samples[box.y0 : box.y1, box.x0 : box.x1])


def opened(path: Path) -> tuple[Any, str]:
    """The picture that Pillow opens, and what is damaged about its header, in words; ``MediaError`` for others."""
    try:
        image = _with_key(open_picture(path))
        if image.format == "JPEG2000":  # of which Pillow reads no profile
            image.info.setdefault("icc_profile", profile_of(path))
        return image, ""
    except MediaError:
        if not is_png(path):
            raise
    # One bad chunk of many makes Pillow refuse a PNG, whose orientation and pixels may be sound.
    with lenient():
        return _with_key(open_picture(path)), "damaged: part of what it says beside its pixels cannot be read"


def profile_in(image: Any) -> bytes | None:
    """The colour profile, which a TIFF's tag of another type is none."""
    found = image.info.get("icc_profile")
    return found if isinstance(found, bytes) and found else None


def _with_key(image: Any) -> Any:
    """A PNG's transparent level spread as Pillow spreads the samples; of its two bytes only a sample's bits count."""
    key, bits = image.info.get("transparency"), KEY_BITS.get(_rawmode(image))
    if image.format == "PNG" and key is not None and bits is not None:
        top = (1 << bits) - 1
        spread = tuple((level & top) * 255 // top for level in (key if isinstance(key, tuple) else (key,)))
        image.info["transparency"] = spread if isinstance(key, tuple) else spread[0]
    return image


def as_stored(image: Any) -> None:
    """Keeps Pillow from turning a TIFF as it loads it: where it maps the file's bytes it takes them for turned already.

    What the file says of its orientation must be read before.
    """
    if image.format == "TIFF":
        image._size = image.tag_v2[WIDTH], image.tag_v2[HEIGHT]
        image.getexif().pop(ORIENTATION, None)
        # Pillow closes the file before it has read all directories.
        with contextlib.suppress(Exception):  # malformed ones make it raise nearly anything
            image.getexif().get_ifd(INTEROPERABILITY)


def loaded(path: Path, image: Any) -> tuple[Any, str]:
    """The picture decoded, and what is damaged about it, in words; ``MediaError`` when nothing decodes."""
    try:
        with minding_damage():
            image.load()
    except Exception as error:  # damaged data make Pillow's decoders raise nearly anything
        refuse_compression(path, getattr(image, "tag_v2", {}))
        return _as_far_as_it_decodes(path), f"damaged: {error}"
    return image, missing_rows(path, image)


def missing_rows(path: Path, image: Any) -> str:
    """Which rows of a PNG are not there, in words: no decoder minds; ``MediaError`` when none is."""
    present, expected = rows_present(path) if image.format == "PNG" else (0, 0)
    if present == 0 < expected:
        raise MediaError(f"{path} is damaged: it holds no pixels")
    return "" if present == expected else f"damaged: only {present} of {expected} rows are there"


def _opened_again(path: Path) -> Any:
    """The picture opened to be read, not mapped: Pillow before 13 maps whole files alone."""
    image = open_picture(path)
    image.filename = ""
    return image


def _as_far_as_it_decodes(path: Path) -> Any:
    try:
        with lenient():
            image = _with_key(_opened_again(path))
            as_stored(image)
            image.load()
    except Exception as error:  # as above
        raise MediaError(f"{path} is damaged or cut short, and nothing of it decodes: {error}") from error
    ranges = image.getextrema()
    if all(low == high for low, high in (ranges if isinstance(ranges[0], tuple) else (ranges,))):
        raise MediaError(f"{path} is damaged or cut short, and nothing of it decodes")
    return image


def eight_bit_pixels(path: Path, image: Any, *, of_more: bool = False) -> Pixels:
    """The loaded picture of ``path`` in 8 bits (``of_more`` that it has); CMYK and LAB become sRGB, CMYK by its
    colour profile."""
    icc, notes, lost = profile_in(image), [], []
    grey = image.mode in ("1", "L", "LA", "La")
    has_alpha = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    if of_more:
        lost.append(f"the lower 8 of 16 bits (of {image.mode} the upper 8 are read)")
    if image.mode in ("CMYK", "LAB"):
        image, note = _to_srgb(image, icc)
        icc = None
        notes.append(note)
    if image.mode == "La":  # premultiplied, from which Pillow converts to this alone
        image = image.convert("LA")
    pixels = _of_all_levels(path, image, np.asarray(image.convert("RGBA" if has_alpha else "RGB")))
    alpha = np.ascontiguousarray(pixels[..., 3]) if has_alpha else None
    return Pixels(np.ascontiguousarray(pixels[..., :3]), alpha, grey, icc, tuple(notes), tuple(lost))


def _of_all_levels(path: Path, image: Any, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Samples from black to white where Pillow gives others: of a Photoshop bitmap, of JPEG 2000 of a few bits."""
    if (image.format, image.mode) == ("PSD", "1"):
        return 255 - pixels
    bits = bits_of(path) if image.format == "JPEG2000" and image.mode != "P" else 8
    if bits >= 8:
        return pixels
    levels: NDArray[np.uint8] = np.rint((pixels >> (8 - bits)) * (255 / ((1 << bits) - 1))).astype(np.uint8)
    return levels


def _to_srgb(image: Any, icc: bytes | None) -> tuple[Any, str]:
    from PIL import ImageCms

    mode = image.mode
    try:
        source: Any = (
            ImageCms.createProfile("LAB")
            if mode == "LAB"
            else ImageCms.ImageCmsProfile(io.BytesIO(icc or b""))
        )
        if mode == "CMYK" and source.profile.xcolor_space.strip() != "CMYK":
            raise ImageCms.PyCMSError("the profile is none of CMYK")
        rgb = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        return rgb, f"the {mode} picture becomes sRGB" + (", by its colour profile" if mode == "CMYK" else "")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image.convert("RGB"), f"the {mode} picture becomes RGB, without a {mode} colour profile"


def bits_a_channel(path: Path, image: Any) -> int:
    """How many the file has, of which Pillow keeps 8 of most kinds; the picture must not be loaded yet."""
    if image.format == "TIFF":
        return int(max(image.tag_v2.get(BITS, (1,))))
    if image.format == "PPM" and image.mode != "I":
        arguments = image.tile[0].args
        return 16 if isinstance(arguments, tuple) and int(arguments[-1]) > 255 else 8
    if image.format == "JPEG2000":
        return bits_of(path)
    if image.format == "JXL":
        return jxl_header.bits_of(path)
    if image.format == "SGI":
        with path.open("rb") as file:
            return 8 * file.read(4)[3]
    return 16 if image.mode.startswith("I") or ";16" in _rawmode(image) else 8


def deep_tiff_pixels(path: Path, image: Any) -> tuple[Pixels | None, str]:
    """The 16 bits of a TIFF, or None for a layout whose low bytes Pillow does not give, and what is damaged, in words.

    Raises ``MediaError`` when nothing decodes.
    """
    try:
        with minding_damage():
            return _deep_tiff_pixels(path, image), ""
    except MemoryError:
        raise
    except Exception as error:  # as above
        refuse_compression(path, image.tag_v2)
        damage = f"damaged: {error}"
    try:
        with lenient():
            again = _opened_again(path)
            as_stored(again)
            pixels = _deep_tiff_pixels(path, again)
    except MemoryError:
        raise
    except Exception:
        pixels = None
    if pixels is None or pixels.colour.min() == pixels.colour.max():
        raise MediaError(f"{path} is damaged or cut short, and nothing of it decodes")
    return pixels, damage


def _deep_tiff_pixels(path: Path, image: Any) -> Pixels | None:
    """Of colours Pillow keeps one byte of two; told that the bytes lie the other way round, it gives the other."""
    tags, icc, raw = image.tag_v2, profile_in(image), _rawmode(image)
    if image.mode.startswith("I;16"):
        return deep_grey_pixels(image, 4095 if raw == "I;12" else 65535)
    if tags.get(PLANAR, 1) != 1 or not raw.startswith(("RGB;16", "RGBA;16", "RGBa;16", "RGBX;16")):
        return None
    names = (raw.replace("a", "A")[:-1] + order for order in (raw[-1], OTHER_ORDER[raw[-1]]))
    high, low = (_bytes_of(path, name) for name in names)
    values = (high.astype(np.float32) * 256 + low) / np.float32(65535)
    has_alpha = raw.startswith(("RGBA", "RGBa"))
    alpha = np.ascontiguousarray(values[..., 3]) if has_alpha else None
    pixels = Pixels(np.ascontiguousarray(values[..., :3]), alpha, False, icc)
    return pixels.divided_by_alpha() if raw.startswith("RGBa") else pixels


def deep_grey_pixels(image: Any, top: int = 65535) -> Pixels:
    """The 16 bits of a picture that Pillow has as such; ``top`` is white."""
    grey = np.asarray(image).astype(np.uint16).astype(np.float32) / np.float32(top)
    return Pixels(np.repeat(grey[..., None], 3, axis=2), None, True, profile_in(image))


def _bytes_of(path: Path, rawmode: str) -> NDArray[np.uint8]:
    image = open_picture(path)
    as_stored(image)
    if rawmode.startswith("RGBA"):
        image._mode = "RGBA"
    image.tile = [
        tile._replace(args=rawmode if isinstance(tile.args, str) else (rawmode, *tile.args[1:]))
        for tile in image.tile
    ]
    image.load()
    return np.asarray(image)


def _rawmode(image: Any) -> str:
    """The layout of the samples in the file, as Pillow names it; known only before the picture is loaded."""
    arguments = image.tile[0].args if image.tile else ""
    return str(arguments if isinstance(arguments, str) else (arguments or ("",))[0])
