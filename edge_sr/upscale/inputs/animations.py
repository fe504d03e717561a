"""Animations that FFmpeg does not decode whole: Pillow does, and its frames are kept as a lossless film meanwhile."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edge_sr.errors import MediaError
from edge_sr.files.atomic import kept_beside, writing
from edge_sr.machine.memory import BASE_BYTES, require_bytes
from edge_sr.sizes import Size, size_text
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.request import Request
from edge_sr.video.frames.colour_profile import is_srgb
from edge_sr.video.image.animation import to_srgb, write_film
from edge_sr.video.image.files.png_chunks import is_png
from edge_sr.video.image.pillow_reader import bits_a_channel
from edge_sr.video.image.recognise import open_picture, pictures_in


def needs_pillow(path: Path) -> bool:
    """Whether the file is an animated WebP, an animated AVIF with an alpha channel, or an animated PNG of 8 bits in
    other colours than sRGB's."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
        is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
        if not is_webp and not is_png(path) and not (head[4:8] == b"ftyp" and b"avis" in head):
            return False
        with open_picture(path) as image:
            needs = is_webp or (_has_colours(path, image) if is_png(path) else image.has_transparency_data)
            return pictures_in(image) > 1 and bool(needs)
    except (OSError, MediaError):
        return False


def _has_colours(path: Path, image: Any) -> bool:
    profile = image.info.get("icc_profile")
    return (
        bool(profile)
        and bits_a_channel(path, image) == 8
        and not is_srgb(profile)
        and to_srgb(image) is not None
    )


@contextlib.contextmanager
def as_film(
    request: Request, controls: Controls, check: Callable[[int], None] = lambda size: None
) -> Iterator[Request]:
    """The request with a film beside the output in place of the animation; it goes at the end.

    ``check`` is told of the film's bytes as it grows, and raises when they are too many. Raises ``MediaError`` for an
    animation that does not decode, and with ``strict`` for a colour profile that cannot be used; ``OptionError`` and
    ``MemoryLimitError`` for one too large; ``DiskFullError`` when the film does not fit.
    """
    source = Path(request.input)
    beside = request.output or source
    with kept_beside(beside, ".mkv") as film:
        with writing(str(beside)), open_picture(source) as image:
            _check_size(request, image.size)
            _tell_of_profile(image, request, controls)
            write_film(image, film, source, controls.stop, check)
        # The same animation is the same input, whenever it was decoded.
        os.utime(film, ns=(0, 0))
        yield dataclasses.replace(request, input=str(film), stem=request.stem or source.stem)


def _check_size(request: Request, size: Size) -> None:
    """Before a frame of it is decoded; Pillow keeps three of them at once, and the encoder two."""
    request.whole_size(size)
    require_bytes(BASE_BYTES + 5 * 4 * size[0] * size[1], f"{request.input} of {size_text(size)}")


def _tell_of_profile(image: Any, request: Request, controls: Controls) -> None:
    if not image.info.get("icc_profile"):
        return
    if to_srgb(image) is not None:
        controls.watcher.say("note: the animation becomes sRGB, by its colour profile")
        return
    if request.strict:
        raise MediaError(
            f"--strict asks for all, and the colour profile of {request.input} is none of RGB: leave --strict out"
        )
    controls.watcher.say("warning: the colour profile, which is none of RGB, cannot be kept")
