"""A picture that moves, as Pillow reads it, to a film that FFmpeg reads."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import InterruptedRun, MediaError
from edge_sr.video.image.leniency import minding_damage
from edge_sr.video.image.recognise import pictures_in

MILLISECOND = Fraction(1, 1000)
# What players take a frame for that says it lasts no time.
LEAST_MILLISECONDS = 10


def write_film(
    image: Any, film: Path, source: Path, stop: threading.Event, check: Callable[[int], None]
) -> None:
    """The frames of Pillow's ``image``, which is ``source``, as a lossless film with their times, alpha included.

    A colour profile, which no film keeps, brings them to sRGB: see ``to_srgb``.
    ``check`` is told after each frame how many bytes they take, and raises when these are too many. Raises
    ``MediaError`` for a frame that does not decode, ``InterruptedRun`` once ``stop`` was set.
    """
    import av

    with av.open(str(film), "w", format="matroska", options={"fflags": "bitexact"}) as file:
        stream: Any = file.add_stream("ffv1", rate=1000, options={"flags": "bitexact"})
        stream.width, stream.height, stream.pix_fmt = image.width, image.height, "bgra"
        stream.time_base = stream.codec_context.time_base = MILLISECOND
        transform, time, taken = to_srgb(image), 0.0, 0
        # A PNG may begin with a picture for who shows none that move.
        for index in range(int(bool(image.info.get("default_image"))), pictures_in(image)):
            if stop.is_set():
                raise InterruptedRun("stopped while reading the input: nothing was made yet")
            pixels = _decoded(image, index, source, transform)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgba").reformat(format="bgra")
            # A PNG's are fractions, whose errors must not add up.
            begin, time = round(time), time + max(LEAST_MILLISECONDS, float(image.info.get("duration", 0)))
            frame.pts, frame.time_base = begin, MILLISECOND
            for packet in stream.encode(frame):
                packet.duration = round(time) - begin
                taken += packet.size
                file.mux(packet)
            check(taken)
        file.mux(stream.encode(None))


def to_srgb(image: Any) -> Any | None:
    """What takes RGBA pictures from the colour profile of Pillow's ``image`` to sRGB; None without a profile of RGB."""
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info.get("icc_profile") or b""))
        return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGBA", "RGBA")
    except (ImageCms.PyCMSError, OSError):
        return None


@minding_damage()
def _decoded(image: Any, index: int, source: Path, transform: Any | None) -> NDArray[Any]:
    try:
        image.seek(index)
        picture = image.convert("RGBA")
        return np.asarray(picture if transform is None else transform.apply(picture))
    except Exception as error:  # damaged frames make Pillow's decoder raise nearly anything
        raise MediaError(f"frame {index + 1} of {source} cannot be decoded: {error}") from error
